"""Running scenario files: what came, beside what was expected, and which rules were never seen to match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmgenie_mcp.engine.definitions import Definitions
from llmgenie_mcp.engine.situation import BUILT_IN, vocabulary
from llmgenie_mcp.engine.supposed import Answer, ask, strictest
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.loader import Loaded
from llmgenie_mcp.loader.scenarios import Names, Source, load_scenarios
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.outcome import Document
from llmgenie_mcp.policy import Reason
from llmgenie_mcp.scenarios import Case, ScenarioFile, Then


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one scenario.

    Attributes:
        name: the scenario's.
        line, column: where it stands in its file, from 1.
        answers: what was said, in the order asked.
        misses: what came otherwise than expected, one sentence each; empty when it passed.
        evidence: the rules behind the misses, clause by clause, each a list of lines.
    """

    name: str
    line: int
    column: int
    answers: tuple[Answer, ...]
    misses: tuple[str, ...] = ()
    evidence: tuple[tuple[str, ...], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything came as expected."""
        return not self.misses

    @property
    def audit(self) -> tuple[Reason, ...]:
        """What policies of level audit would have said against it."""
        return tuple(reason for answer in self.answers for reason in answer.decision.audit)

    def to_dict(self) -> Document:
        """As JSON: empty parts are left out."""
        more = {"misses": list(self.misses), "evidence": [line for lines in self.evidence for line in lines]}
        return {
            "name": self.name,
            "line": self.line,
            "column": self.column,
            "passed": self.passed,
            "decision": strictest(answer.decision.effect for answer in self.answers),
            "answers": [answer.to_dict() for answer in self.answers],
            **{key: value for key, value in more.items() if value},
        }


@dataclass(frozen=True, slots=True)
class FileResult:
    """What came of one file; `skipped` says why it was not run, and is empty when it was."""

    file: str
    origin: str
    results: tuple[Result, ...] = ()
    skipped: str = ""

    def to_dict(self) -> Document:
        """As JSON: empty parts are left out."""
        more: Document = {"skipped": self.skipped, "scenarios": [result.to_dict() for result in self.results]}
        return {"file": self.file, "origin": self.origin, **{key: value for key, value in more.items() if value}}


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run.

    Attributes:
        files: in the order they were run.
        matched, passed_over: for each rule that was asked, as policy/rule: how often its condition held by known facts,
            and how often it did not hold.
    """

    files: tuple[FileResult, ...]
    matched: Mapping[str, int]
    passed_over: Mapping[str, int]

    @property
    def results(self) -> tuple[Result, ...]:
        """Those of all files."""
        return tuple(result for file in self.files for result in file.results)

    @property
    def failed(self) -> int:
        """How many scenarios failed."""
        return sum(not result.passed for result in self.results)

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Rules whose condition held in no scenario; a rule that only matched for want of facts is not covered."""
        return tuple(rule for rule, count in self.matched.items() if not count)

    def to_dict(self) -> Document:
        """As JSON."""
        return {
            "files": [file.to_dict() for file in self.files],
            "scenarios": len(self.results),
            "failed": self.failed,
            "uncovered": list(self.uncovered),
            "coverage": {
                rule: {"matched": count, "passed_over": self.passed_over[rule]} for rule, count in self.matched.items()
            },
        }


def run(definitions: Definitions, sources: Iterable[Source], *, whole: bool = False) -> Report:
    """Run scenario files against what is in force.

    Args:
        definitions: of the project.
        sources: the files.
        whole: whether these are all the files there are; then rules of policies that none of them asks are uncovered too.

    Raises:
        DefinitionError: a file is wrong; all problems of all files, with their places.
    """
    names = Names(
        definitions.catalog.policies, definitions.workflows, definitions.actions, OPERATIONS, vocabulary(), BUILT_IN
    )
    loaded = load_scenarios(sources, names)
    files = tuple(
        FileResult(source.file, source.origin, () if skipped else tuple(_results(definitions, found)), skipped)
        for source, found, skipped in loaded
    )
    asked = {found.value.policy for _, found, skipped in loaded if not skipped}
    consulted = [policy for policy in definitions.policies if whole or None in asked or policy.name in asked]
    matched = {f"{policy.name}/{rule.id}": 0 for policy in consulted for rule in policy.rules}
    passed_over = dict(matched)
    for answer in (answer for file in files for result in file.results for answer in result.answers):
        for line in answer.decision.trace():
            count = {"rule_matched": matched, "not_matched": passed_over}.get(line["outcome"])
            if count is not None:
                count[_rule(line)] += 1
    return Report(files, matched, passed_over)


def _results(definitions: Definitions, loaded: Loaded[ScenarioFile]) -> Iterator[Result]:
    file = loaded.value
    for index, case in enumerate(file.scenarios):
        answers = ask(definitions, case.given.over(file.given), case.when, file.policy)
        misses, rules = _misses(case, answers)
        line, column = loaded.position(("scenarios", index))
        evidence = tuple(_evidence(rule, answers) for rule in rules)
        yield Result(case.name, line, column, answers, tuple(misses), evidence)


def _misses(case: Case, answers: Sequence[Answer]) -> tuple[list[str], list[str]]:
    """What came otherwise than expected, and the rules to look at."""
    then = case.then
    effect = strictest(answer.decision.effect for answer in answers)
    matched = [reason for answer in answers for reason in (*answer.decision.reasons, *answer.decision.permits)]
    came = list(dict.fromkeys(map(_rule_of, matched)))
    misses: list[str] = []
    rules: list[str] = []
    if effect != then.decision:
        decisive = [_rule_of(reason) for reason in matched if reason.effect == effect]
        by = f" by {', '.join(dict.fromkeys(decisive))}" if decisive else "; no rule stands against it"
        misses.append(f"expected {then.decision}, came {effect}{by}")
        rules += decisive
    expected = then.rules if then.rules is not None else (then.rule,) if then.rule else ()
    audited = list(dict.fromkeys(_rule_of(reason) for answer in answers for reason in answer.decision.audit))
    for wanted, found, exact in (
        (expected, came, then.rules is not None),
        (then.audit or (), audited, then.audit is not None),
    ):
        missing = [rule for rule in wanted if rule not in found]
        surplus = [rule for rule in found if rule not in wanted] if exact else []
        misses += [f"expected {rule}, which did not match" for rule in missing]
        misses += [f"did not expect {rule}, which matched" for rule in surplus]
        rules += [*missing, *surplus]
    if then.rule is None or then.rule in came:
        misses += _words(then, [reason for reason in matched if then.rule in (None, _rule_of(reason))])
    return misses, list(dict.fromkeys(rules))


def _words(then: Then, reasons: Sequence[Reason]) -> Iterator[str]:
    if then.message is not None and not any(then.message in reason.message for reason in reasons):
        said = " / ".join(dict.fromkeys(reason.message for reason in reasons)) or "nothing"
        yield f"expected the message to hold {then.message!r}, it says: {said}"
    offered = list(dict.fromkeys(str(reason.fix["action"]) for reason in reasons if reason.fix))
    if then.fix is not None and then.fix not in offered:
        yield f"expected the fix {then.fix}, offered: {', '.join(offered) or 'none'}"


def _evidence(rule: str, answers: Sequence[Answer]) -> tuple[str, ...]:
    """Why a rule matched or did not, clause by clause: for the operation where it matched, else for the first."""
    lines = [(answer.name, line) for answer in answers for line in answer.decision.trace() if _rule(line) == rule]
    if not lines:
        asked = ", ".join(dict.fromkeys(answer.name for answer in answers)) or "nothing"
        return (f"{rule}: its policy does not cover what was asked ({asked})",)
    name, line = next((found for found in lines if found[1]["outcome"] != "not_matched"), lines[0])
    return (f"{rule}: {line['outcome']} for {name}", *(f"  {clause}" for clause in line["clauses"]))


def _rule(line: Mapping[str, Any]) -> str:
    return f"{line['policy']}/{line['rule']}"


def _rule_of(reason: Reason) -> str:
    return f"{reason.policy}/{reason.rule}"
