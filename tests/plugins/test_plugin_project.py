"""What of the installed plug-ins has a say in a project: their definitions, and its settings about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plugin_scene import ACTION, install, plugin, shown
from scene import DEPLOY, configure, define

from llmgenie_mcp import Engine, compiled, plugins, trust
from llmgenie_mcp.distributions import DEFINITIONS, EXTENSIONS
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.engine.open_guard import open_guard
from llmgenie_mcp.errors import DefinitionError, UnknownName
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.registry import Registry

POLICY = """
name: {name}
level: always_on
applies_to: {{actions: [{action}]}}
rules:
  - id: no
    effect: {effect}
    when: "{when}"
    reason: "The plug-in is against it."
"""
PUSH = "git.push"
pytestmark = pytest.mark.usefixtures("fresh")


def policy(name: str = "calm", action: str = "hush", effect: str = "deny", when: str = "true") -> str:
    """A policy of one rule."""
    return POLICY.format(name=name, action=action, effect=effect, when=when)


def hush(site: Path, *, promised: bool = False, **definitions: str) -> None:
    """Install llmgenie-hush 1.2.0: action `hush`, signal `hush.level`, and definitions, by `policies__NAME`.

    With `promised` it names a package with definitions, whether it has some or not.
    """
    code = ACTION.format(name="hush") + (
        "\n    from llmgenie_mcp.plugins import signal\n"
        "    signal('hush', {'level': 'How quiet it is.'})(lambda field, situation: 3)\n"
    )
    files = {f"hush_here/{name.replace('__', '/')}.yaml": text for name, text in definitions.items()}
    points = {EXTENSIONS: {"one": "hush_here.one"}}
    if definitions or promised:
        points[DEFINITIONS] = {"rules": "hush_here"}
    install(site, "llmgenie-hush", {"hush_here/__init__.py": "", "hush_here/one.py": code, **files}, points, "1.2.0")


def reasons(engine: Engine, action: str = "hush", **params: Any) -> list[tuple[str, str]]:
    """Why an action is refused, as rule and message; empty when it is done."""
    outcome = engine.run_action(action, params)
    assert outcome.ok == (not outcome.reasons)
    return [(reason.rule, reason.message) for reason in outcome.reasons]


def test_a_policy_of_a_plug_in_is_in_force_and_may_ask_for_its_facts(engine: Engine, site: Path) -> None:
    hush(site, policies__calm=policy(when="hush.level > 2"))
    assert reasons(engine) == [("calm/no", "The plug-in is against it.")]
    assert engine.policy("calm")["origin"] == "plugin"
    assert engine.definitions.catalog.policies["calm"].plugin == "llmgenie-hush"
    assert engine.workflow_state().get("warnings") is None


def test_a_workflow_of_a_plug_in_can_be_started(engine: Engine, site: Path) -> None:
    hush(site, workflows__deploy=DEPLOY)
    session = engine.run_action("start_session", {}).result["session"]["id"]
    assert (
        engine.run_action("start_deploy", {"version": "1.0"}, session=session).result["instance"]["state"] == "waiting"
    )
    assert engine.catalog.workflows["deploy"].origin == "plugin"


def test_a_policy_of_a_packaged_name_applies_beside_it_and_lifts_nothing(engine: Engine, site: Path) -> None:
    hush(site, policies__branch_protection=policy("branch_protection", PUSH, "allow"))
    names = [name for name in engine.catalog.policies if name.startswith("branch_protection")]
    assert names == ["branch_protection", "branch_protection.llmgenie-hush"]
    assert [engine.catalog.policies[name].origin for name in names] == ["packaged", "plugin"]
    decision = engine.enforce(None, PUSH, {"branch": "main"})
    assert (decision.effect, decision.reasons[0].policy) == ("deny", "branch_protection")


def test_a_project_s_own_policy_is_over_that_of_a_plug_in_once_a_person_accepted_it(repo: Path, site: Path) -> None:
    hush(site, policies__calm=policy())
    define(repo, "policies", "calm", policy(effect="allow"))
    with Engine.open(repo) as engine:
        assert sorted(name for name in engine.catalog.policies if "calm" in name) == ["calm", "calm.project"]
        assert reasons(engine) == [("calm/no", "The plug-in is against it.")]
        trust.trust(repo / ".llmgenie")
        assert reasons(engine) == []
        assert any("that of llmgenie-hush is not in force" in note for note in engine.catalog.notes)


@pytest.mark.parametrize(
    ("part", "text", "why"),
    [
        ("workflows__review", DEPLOY.replace("name: deploy", "name: review"), "There is a workflow 'review' already"),
        ("policies__calm", policy(when="husch.level > 2"), "llmgenie-hush/policies/calm.yaml:8:12"),
        ("policies__calm", policy(action="husch"), "No action, trigger or operation is called 'husch'"),
        ("policies__calm", "name: [", "llmgenie-hush/policies/calm.yaml:"),
    ],
)
def test_with_a_wrong_definition_none_of_a_plug_in_is_in_force_and_its_actions_say_why(
    repo: Path, engine: Engine, site: Path, part: str, text: str, why: str
) -> None:
    hush(site, policies__good=policy("good"), **{part: text})
    ((rule, message),) = reasons(engine)
    assert rule == "plugins.llmgenie-hush"
    assert why in message
    assert "good" not in engine.catalog.policies
    assert engine.catalog.workflows["review"].origin == "packaged"
    assert engine.run_action("create_task", {"title": "The rest works"}).ok
    assert any(why in warning for warning in engine.workflow_state()["warnings"])
    assert why in shown("workflow", "check", project=repo)[1]
    code, _, data = shown("plugins", project=repo)
    assert (code, data["items"][0]["status"]) == (1, "held")
    assert why in data["items"][0]["reasons"][0]


def test_without_its_definitions_the_actions_of_a_plug_in_say_so(engine: Engine, site: Path) -> None:
    hush(site, promised=True)
    ((rule, message),) = reasons(engine)
    assert rule == "plugins.llmgenie-hush"
    assert "Are its YAML files in the wheel?" in message


def test_a_plug_in_that_is_switched_off_is_as_if_it_were_not_installed(repo: Path, site: Path) -> None:
    hush(site, policies__calm=policy(action=PUSH))
    configure(repo, plugins={"disabled": ["LLMgenie_hush"]})
    with Engine.open(repo) as engine:
        with pytest.raises(UnknownName):
            engine.run_action("hush")
        assert "calm" not in engine.catalog.policies
        define(repo, "policies", "own", policy("own", "create_task", when="hush.level > 2"))
        trust.trust(repo / ".llmgenie")
        with pytest.raises(DefinitionError, match=r"hush\.level"):
            engine.definitions  # noqa: B018
    (repo / ".llmgenie" / "policies" / "own.yaml").unlink()
    trust.trust(repo / ".llmgenie")
    code, _, data = shown("plugins", project=repo)
    assert (code, data["items"][0]["status"], data["items"][0]["reasons"]) == (0, "switched off", [])


def test_a_person_who_accepts_the_settings_is_shown_what_they_switch_off(repo: Path, site: Path) -> None:
    hush(site, policies__calm=policy())
    configure(repo, trusted=False, plugins={"disabled": ["llmgenie-hush"]})
    assert "plug-in llmgenie-hush: switched off, its policies too" in shown("trust", "--show", project=repo)[1]


def test_settings_that_nobody_accepted_switch_nothing_off(repo: Path, site: Path) -> None:
    hush(site, policies__calm=policy())
    configure(repo, trusted=False, plugins={"disabled": ["llmgenie-hush"]})
    with Engine.open(repo) as engine:
        assert reasons(engine) == [("calm/no", "The plug-in is against it.")]
        assert "llmgenie-hush: switched off once a person accepts the settings: llmgenie trust." in engine.catalog.notes


@pytest.mark.parametrize("wanted", ["1.2.0", "1.2.*", "*"])
def test_a_pin_that_holds_changes_nothing(repo: Path, site: Path, wanted: str) -> None:
    hush(site)
    configure(repo, plugins={"pinned": {"llmgenie-hush": wanted}})
    with Engine.open(repo) as engine:
        assert reasons(engine) == []
        assert engine.catalog.notes == ()


@pytest.mark.parametrize("trusted", [True, False])
def test_a_pin_that_does_not_hold_refuses_the_actions_and_keeps_the_policies(
    repo: Path, site: Path, trusted: bool
) -> None:
    hush(site, policies__pushes=policy("pushes", PUSH))
    configure(repo, trusted=trusted, plugins={"pinned": {"llmgenie-hush": "1.1.*"}})
    with Engine.open(repo) as engine:
        ((rule, message),) = reasons(engine)
        assert rule == "plugins.llmgenie-hush"
        assert "llmgenie-hush 1.2.0 is installed" in message
        assert "pip install 'llmgenie-hush==1.1.*'" in message
        assert "pushes" in [reason.policy for reason in engine.enforce(None, PUSH, {"branch": "x"}).reasons]
    assert shown("plugins", project=repo)[0] == 1
    assert shown("doctor", project=repo)[0] == 1


def test_a_pinned_plug_in_that_is_not_installed_is_told(repo: Path) -> None:
    configure(repo, plugins={"pinned": {"llmgenie-gone": "1.0"}})
    code, lines, data = shown("plugins", project=repo)
    assert code == 1
    assert data["notes"] == [
        "llmgenie-gone 1.0 is pinned in llmgenie.yaml, and it is not installed: pip install 'llmgenie-gone==1.0'"
    ]
    assert "not installed" in lines


def test_a_wrong_name_or_version_in_the_settings_is_told(repo: Path) -> None:
    configure(repo, plugins={"disabled": ["../x"], "pinned": {"a b": "1", "c": ">=1"}})
    with pytest.raises(DefinitionError) as told:
        Engine.open(repo)
    assert told.value.details["count"] == 3


def test_a_broken_plug_in_is_listed_and_told_and_the_good_one_works(repo: Path, engine: Engine, site: Path) -> None:
    hush(site)
    plugin(site, "odd", fine=ACTION.format(name="odd_fine"), wrong="raise SystemExit('not today')")
    assert reasons(engine) == []
    assert any("llmgenie-odd is left out" in warning for warning in engine.workflow_state()["warnings"])
    code, lines, data = shown("plugins", project=repo)
    assert code == 1
    assert [(one["name"], one["status"]) for one in data["items"]] == [
        ("llmgenie-hush", "in force"),
        ("llmgenie-odd", "left out"),
    ]
    assert data["items"][0]["adds"] == {"actions": ["hush"], "signals": ["hush"]}
    assert "SystemExit: not today" in lines
    configure(repo, plugins={"disabled": ["llmgenie-odd"]})
    assert shown("plugins", project=repo)[0] == 0


def test_the_definitions_of_a_plug_in_that_is_left_out_are_not_in_force(engine: Engine, site: Path) -> None:
    files = {"torn/__init__.py": "raise ValueError('torn')", "torn/policies/pushes.yaml": policy("pushes", PUSH)}
    install(site, "llmgenie-torn", files, {EXTENSIONS: {"one": "torn"}, DEFINITIONS: {"rules": "torn"}})
    assert "pushes" not in engine.catalog.policies
    assert any("llmgenie-torn is left out: torn: ValueError: torn" in note for note in engine.catalog.notes)


def test_without_plug_ins_the_list_says_where_to_read_on(repo: Path) -> None:
    code, lines, data = shown("plugins", project=repo)
    assert (code, data) == (0, {"items": [], "notes": []})
    assert "docs/plugins.md" in lines


def test_hooks_notice_what_was_installed_edited_or_taken_away(repo: Path, engine: Engine, site: Path) -> None:
    def judged() -> str:
        with open_guard(engine.project) as guard:
            return guard.judge([Operation(PUSH, {"branch": "feature/x"})], actor=Actor()).effect

    hush(site, policies__pushes=policy("pushes", PUSH))
    assert judged() == "deny"
    assert compiled.read(engine.project.store) is not None
    file = site / "hush_here" / "policies" / "pushes.yaml"
    file.write_text(policy("pushes", PUSH, when="resource.branch == 'feature/other'"), encoding="utf-8")
    assert compiled.read(engine.project.store) is None
    before = judged()
    assert before != "deny"
    assert compiled.read(engine.project.store) is not None
    plugin(site, "more", one="")
    assert compiled.read(engine.project.store) is None


def test_a_sink_and_a_source_of_a_plug_in_that_is_switched_off_do_nothing(repo: Path, site: Path) -> None:
    text = """
        from llmgenie_mcp.plugins import Delivered, action, sink, source

        seen = []

        @sink("drum")
        def deliver(parcel):
            seen.append("sink")
            return Delivered()

        @source("drum")
        def watch(engine, stop):
            seen.append("source")

        @action("drum", everywhere=True)
        def act(ctx, params):
            ctx.deliver("drum", "one", {})
            return {}
    """
    plugin(site, "drum", one=text)
    with Engine.open(repo) as engine:
        assert engine.run_action("drum").ok
        configure(repo, plugins={"disabled": ["llmgenie-drum"]})
        Dispatcher(engine).drain(30)
        import drum_one  # type: ignore[import-not-found]

        assert drum_one.seen == []
        (dead,) = engine.storage.query("outbox", {"status": "dead"}).items
        assert "Nothing here delivers a drum" in dead["error"]
        configure(repo, plugins={})
        assert engine.run_action("drum").ok
        Dispatcher(engine).drain(30)
        assert sorted(drum_one.seen) == ["sink", "source"]


def test_a_receiver_of_a_plug_in_takes_requests_until_it_is_switched_off(repo: Path, site: Path) -> None:
    from starlette.testclient import TestClient

    from llmgenie_mcp.faces.rest import create_app

    text = """
        from llmgenie_mcp.plugins import BadRequest, receiver

        @receiver("forge")
        def receive(headers, body, secret, now):
            raise BadRequest("not signed", status=401)
    """
    plugin(site, "forge", one=text)
    mine = {"mine": {"kind": "forge", "secret": {"env": "PATH"}}}
    with TestClient(create_app(repo), base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as client:
        configure(repo, receivers=mine)
        assert client.post("/webhooks/mine", json={}).status_code == 401
        configure(repo, receivers=mine, plugins={"disabled": ["llmgenie-forge"]})
        assert client.post("/webhooks/mine", json={}).status_code == 404


def test_a_receiver_of_a_plug_in_may_be_named_in_the_settings(repo: Path, site: Path) -> None:
    text = "from llmgenie_mcp.plugins import receiver\nreceiver('forge')(lambda headers, body, secret, now: None)"
    plugin(site, "forge", one=text)
    configure(repo, receivers={"mine": {"kind": "forge", "secret": {"env": "X"}}})
    with Engine.open(repo) as engine:
        assert engine.definitions.settings.receivers["mine"].kind == "forge"
    configure(repo, receivers={"mine": {"kind": "forje", "secret": {"env": "X"}}})
    with pytest.raises(DefinitionError) as told:
        Engine.open(repo)
    assert "There are: forge, github, gitlab, standard" in str(told.value.details["problems"])


def test_what_a_provider_of_a_plug_in_brings_is_its_own(
    repo: Path, site: Path, open_engine: Callable[..., Engine]
) -> None:
    text = """
        from llmgenie_mcp.plugins import Action, NoParams, provider

        @provider("many", mark=lambda store: 0)
        def provide(store, settings, trusted):
            yield Action("many_one", "One of many.", NoParams, lambda ctx, params: {}, everywhere=True)
    """
    plugin(site, "many", one=text)
    engine = open_engine(repo)
    assert reasons(engine, "many_one") == []
    configure(repo, plugins={"pinned": {"llmgenie-many": "2"}})
    assert reasons(engine, "many_one")[0][0] == "plugins.llmgenie-many"
    configure(repo, plugins={"disabled": ["llmgenie-many"]})
    with pytest.raises(UnknownName):
        engine.run_action("many_one")


def test_the_registry_of_these_tests_is_not_that_of_the_process(fresh: Registry) -> None:
    assert plugins._registry is fresh
