"""What is wrong with a scenario file is told with file, line and column, and with what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario_scene import written
from scene import define

from llmgenie_mcp.engine.definitions import Definitions, load
from llmgenie_mcp.engine.scenarios import run
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.loader.scenarios import Source
from llmgenie_mcp.project import resolve


@pytest.fixture
def definitions(repo: Path) -> Definitions:
    """What is in force in a project without definitions of its own."""
    return load(resolve(repo))


IT = "{name: it, when: {operation: git.push}, then: {decision: deny}}"
GOOD = f"scenarios: [{IT}]"
PUSH = "branch_protection/no-direct-push"


def case(when: str = "{operation: git.push}", then: str = "{decision: deny}", given: str = "{}") -> str:
    """A file with one scenario, whose parts stand on lines of their own."""
    return f"scenarios:\n  - name: it\n    given: {given}\n    when: {when}\n    then: {then}\n"


WRONG: list[tuple[str, str]] = [
    ("", "mine.yaml:1:1: The file is empty"),
    ("scenarios: []", "mine.yaml:1:12: scenarios: Must"),
    (f"polcy: security\n{GOOD}", "mine.yaml:1:1: polcy: Unknown key 'polcy' / Did you mean policy?"),
    (f"policy: securty\n{GOOD}", "mine.yaml:1:9: policy: No policy is called 'securty' / Did you mean security?"),
    (f"given: {{mode: cod}}\n{GOOD}", "mine.yaml:1:15: given.mode: No mode is called 'cod' / Did you mean code?"),
    (
        f"given: {{facts: {{git: {{brnch: x}}}}}}\n{GOOD}",
        "mine.yaml:1:23: given.facts.git.brnch: There is no fact 'git.brnch' / Did you mean git.branch",
    ),
    (
        f"given: {{facts: {{tests: {{last: {{pased: true}}}}}}}}\n{GOOD}",
        "mine.yaml:1:32: given.facts.tests.last.pased: There is no fact 'tests.last.pased' / Did you mean tests.last.passed",
    ),
    (f"given: {{facts: {{weather: {{}}}}}}\n{GOOD}", "mine.yaml:1:17: given.facts.weather: There is no fact 'weather'"),
    (
        f"given: {{facts: {{session: {{id: x}}}}}}\n{GOOD}",
        "mine.yaml:1:17: given.facts.session: 'session' cannot be given as a fact / It follows from mode, session",
    ),
    (f"given: {{actor: robot}}\n{GOOD}", "mine.yaml:1:16: given.actor"),
    (
        case(given="{session: {status: open}}"),
        "mine.yaml:3:31: scenarios.0.given.session.status: Expected active, paused",
    ),
    (
        case(given="{instance: {id: R, workflow: reviw, state: draft}}"),
        "mine.yaml:3:41: scenarios.0.given.instance.workflow: No workflow is called 'reviw' / Did you mean review?",
    ),
    (
        case(given="{instance: {id: R, workflow: review, state: open}}"),
        "mine.yaml:3:56: scenarios.0.given.instance.state: No state of review is called 'open'",
    ),
    (case("{}"), "mine.yaml:4:11: scenarios.0.when: Nothing is asked / Write exactly one of: operation, action"),
    (
        case("{operation: git.push, command: ls}"),
        "mine.yaml:4:33: scenarios.0.when.command: Asks for operation and command at once / Write exactly one of",
    ),
    (case("{command: ls, params: {}}"), "mine.yaml:4:25: scenarios.0.when.params: A command takes no params"),
    (case("{tool: merge_pull_request}"), "mine.yaml:4:18: scenarios.0.when.tool: 'merge_pull_request' is not accepted"),
    (
        case("{operation: git.psh}"),
        "mine.yaml:4:23: scenarios.0.when.operation: No operation is called 'git.psh' / Did you mean git.push",
    ),
    (
        case("{operation: merge}"),
        "mine.yaml:4:23: scenarios.0.when.operation: No operation is called 'merge' / merge is an action: write `action:`",
    ),
    (
        case("{action: git.push}"),
        "mine.yaml:4:20: scenarios.0.when.action: No action is called 'git.push' / git.push is an operation",
    ),
    (
        case("{action: merg}"),
        "mine.yaml:4:20: scenarios.0.when.action: No action is called 'merg' / Did you mean merge?",
    ),
    (
        case("{operation: git.push, params: {brnch: main}}"),
        "mine.yaml:4:42: scenarios.0.when.params.brnch: No parameter of git.push is called 'brnch' / Did you mean branch?",
    ),
    (
        case("{action: merge, params: {brnch: main}}"),
        "mine.yaml:4:35: scenarios.0.when.params: Parameters of merge do not fit: branch: is missing",
    ),
    (case(then="{}"), "mine.yaml:5:11: scenarios.0.then.decision: Field required / allow, ask"),
    (case(then="{decision: no}"), "mine.yaml:5:22: scenarios.0.then.decision: Expected deny, ask or allow"),
    (case(then="{decision: deny, rule: x}"), "mine.yaml:5:34: scenarios.0.then.rule: 'x' is not accepted here"),
    (
        case(then="{decision: deny, rule: branch_protection/no-push}"),
        "mine.yaml:5:34: scenarios.0.then.rule: No rule is called 'branch_protection/no-push' / Did you mean branch_",
    ),
    (
        case(then=f"{{decision: deny, rule: {PUSH}, rules: []}}"),
        "mine.yaml:5:28: scenarios.0.then.rule: `rule` and `rules` are given together",
    ),
    (
        case(then=f"{{decision: allow, rule: {PUSH}}}"),
        f"mine.yaml:5:35: scenarios.0.then.rule: {PUSH} denies, so the decision cannot be allow / Write `decision: deny`",
    ),
    (
        case(then=f"{{decision: deny, audit: [{PUSH}]}}"),
        f"mine.yaml:5:36: scenarios.0.then.audit.0: {PUSH} is enforced, not of level audit",
    ),
    (
        case(then="{decision: deny, fix: start_reviw}"),
        "mine.yaml:5:33: scenarios.0.then.fix: No action is called 'start_reviw' / Did you mean start_review",
    ),
    (
        f"policy: security\n{case(then=f'{{decision: deny, rules: [{PUSH}]}}')}",
        f"mine.yaml:6:36: scenarios.0.then.rules.0: {PUSH} is not asked / This file asks security alone",
    ),
    (
        f"scenarios:\n  - {IT}\n  - {IT}\n",
        "mine.yaml:3:12: scenarios.1.name: There are two scenarios 'it' / Say in the name how they differ.",
    ),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_what_is_wrong_with_a_file_is_told_with_its_place_and_what_was_meant(
    definitions: Definitions, tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(DefinitionError) as error:
        run(definitions, [written(tmp_path, text)])
    said = f"{error.value.message} / {error.value.hint}"
    assert said.startswith(told), said
    assert error.value.details["count"] == 1


def test_the_problems_of_all_files_are_told_at_once(definitions: Definitions, tmp_path: Path) -> None:
    first = written(tmp_path, "policy: x\nscenarios: []")
    other = tmp_path / "other.yaml"
    other.write_text(f"policy: securty\n{GOOD}", encoding="utf-8")
    with pytest.raises(DefinitionError) as error:
        run(definitions, [first, Source(other, "other.yaml", "project")])
    assert error.value.details["count"] == 2


def test_a_rule_of_level_audit_is_not_expected_to_deny(repo: Path, tmp_path: Path) -> None:
    text = "{name: fridays, level: audit, rules: [{id: not-now, effect: deny, reason: Not on a Friday.}]}"
    define(repo, "policies", "fridays", text)
    with pytest.raises(DefinitionError, match="never stands against anything") as error:
        run(load(resolve(repo)), [written(tmp_path, case(then="{decision: deny, rule: fridays/not-now}"))])
    assert error.value.hint == "Write it under `audit:`."


def test_a_file_that_is_right_is_read(definitions: Definitions, tmp_path: Path) -> None:
    for text in (GOOD, case(), case("{operation: git.push, params: {branch: null}}"), case("{action: merge}")):
        assert run(definitions, [written(tmp_path, text)]).failed == 0
