"""How extensions of other distributions come in, and what keeps them out. In this process, with registries of the tests' own."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from plugin_scene import ACTION, install, plugin

from llmgenie_mcp import distributions, plugins
from llmgenie_mcp.plugins import Action
from llmgenie_mcp.registry import Registry


def told() -> list[tuple[str, str]]:
    """What could not be loaded, and the beginning of the reason."""
    return [(failure.module, failure.message) for failure in plugins.failures()]


def test_what_an_extension_adds_is_known_by_distribution_version_and_module(fresh: Registry, site: Path) -> None:
    plugin(site, "good", one=ACTION.format(name="good_one"))
    assert plugins.actions()["good_one"].run(None, None) == {"by": "good_one"}
    assert plugins.origins()["actions", "good_one"] == plugins.Origin("llmgenie-good", "1.0.0", "good_one")
    assert plugins.origin("actions", "good_one") == "llmgenie-good"
    assert plugins.origin("actions", "merge") == ""
    assert told() == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("import there_is_no_such_module", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def (", "SyntaxError"),
        ("import threading\nthreading.Event().wait()", "did not end within"),
        (ACTION.format(name="merge"), "llmgenie has one of its own; give yours another name"),
        (ACTION.format(name="good_one"), "llmgenie-good has it already"),
        (ACTION.format(name="twice") + ACTION.format(name="twice"), "'twice' is registered twice"),
        ("from llmgenie_mcp import plugins\nplugins._registry.actions['merge'] = None", "that is put back"),
        ("from llmgenie_mcp import plugins\nplugins._registry.actions.clear()", "that is put back"),
    ],
)
def test_a_broken_plug_in_leaves_nothing_and_the_others_work(
    fresh: Registry, site: Path, broken: str, reason: str
) -> None:
    before = dict(fresh.actions)
    plugin(site, "good", one=ACTION.format(name="good_one"))
    plugin(site, "odd", fine=ACTION.format(name="odd_fine"), wrong=broken)
    after = dict(plugins.actions())
    assert after.pop("good_one").name == "good_one"
    assert after == before
    (failure,) = plugins.failures()
    assert reason in failure.message
    assert failure.distribution == "llmgenie-odd"
    assert {origin.distribution for origin in plugins.origins().values()} == {"llmgenie-good"}


def test_what_registers_after_its_import_was_given_up_stays_out(fresh: Registry, site: Path) -> None:
    gate, done = threading.Event(), threading.Event()
    meeting = ModuleType("meeting")
    meeting.gate, meeting.done = gate, done  # type: ignore[attr-defined]
    sys.modules["meeting"] = meeting
    late = "import meeting\nmeeting.gate.wait()\n"
    try:
        plugin(
            site, "late", one=late + ACTION.format(name="late_one").replace("\n    ", "\n") + "\nmeeting.done.set()\n"
        )
        assert "late_one" not in plugins.actions()
        gate.set()
        assert done.wait(10)
    finally:
        gate.set()
        del sys.modules["meeting"]
    assert "late_one" not in plugins.actions()
    assert plugins.origins() == {}


def test_an_extension_that_imports_another_s_module_does_not_take_it_over(fresh: Registry, site: Path) -> None:
    plugin(site, "base", one=ACTION.format(name="base_one"))
    plugin(site, "above", one="import base_one\nraise RuntimeError('no')")
    assert plugins.origin("actions", "base_one") == "llmgenie-base"
    assert told() == [("above_one", "RuntimeError: no")]


def test_a_module_that_a_program_imported_before_belongs_to_its_distribution(fresh: Registry, site: Path) -> None:
    plugin(site, "early", one=ACTION.format(name="early_one"))
    __import__("early_one")
    assert plugins._registry.actions["early_one"].name == "early_one"
    assert plugins.origin("actions", "early_one") == "llmgenie-early"
    assert told() == []


def test_what_a_program_registers_itself_stays_and_is_nobody_s(fresh: Registry, site: Path) -> None:
    plugin(site, "good", one=ACTION.format(name="good_one"))
    plugins.action("own_one")(lambda ctx, params: {})
    assert {"own_one", "good_one"} <= plugins.actions().keys()
    assert plugins.origin("actions", "own_one") == ""


def test_asking_for_the_actions_inside_an_import_does_not_wait_for_itself(fresh: Registry, site: Path) -> None:
    plugin(site, "asking", one="from llmgenie_mcp import plugins\nassert 'merge' in plugins.actions()")
    plugins.load()
    assert told() == []


def test_what_an_import_prints_does_not_reach_stdout(
    fresh: Registry, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin(site, "loud", one="print('hello there')")
    plugins.load()
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "hello there\n")


def test_metadata_that_cannot_be_read_is_told_and_hides_nobody(fresh: Registry, site: Path) -> None:
    plugin(site, "good", one=ACTION.format(name="good_one"))
    info = site / "llmgenie_torn-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: llmgenie-torn\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[llmgenie_mcp]\nno equals sign\n", encoding="utf-8")
    assert "good_one" in plugins.actions()
    ((name, message),) = told()
    assert name == "llmgenie-torn"
    assert "cannot be read" in message


def test_names_are_compared_as_packaging_tools_do() -> None:
    assert {distributions.normalized(name) for name in ("A.b_C", "a-b--c", "A_B.C")} == {"a-b-c"}


def test_the_folder_of_a_package_is_found_without_importing_it(site: Path) -> None:
    files = {"quiet/__init__.py": "raise SystemExit", "quiet/rules/policies/x.yaml": "", "alone.py": ""}
    points = {"a": "quiet", "b": "quiet.rules", "c": "alone", "d": "nowhere", "e": "quiet.nowhere"}
    install(site, "llmgenie-quiet", files, {distributions.DEFINITIONS: points})
    folders = [point.folder() for point in distributions.scan().of(distributions.DEFINITIONS)]
    assert folders == [site / "quiet", site / "quiet" / "rules", None, None, None]
    assert "quiet" not in sys.modules


def test_a_distribution_without_its_definitions_is_told(site: Path) -> None:
    install(site, "llmgenie-gone", {}, {distributions.DEFINITIONS: {"rules": "nowhere"}})
    install(site, "llmgenie-bare", {"bare/__init__.py": ""}, {distributions.DEFINITIONS: {"rules": "bare"}})
    files = {"much/policies/x.yaml": "", "many/policies/x.yaml": ""}
    install(site, "llmgenie-many", files, {distributions.DEFINITIONS: {"a": "much", "b": "many"}})
    found = {name: str(why).split(" ")[0:4] for name, why in distributions.definition_folders().items()}
    assert found == {
        "llmgenie-bare": ["There", "is", "no", "policies/"],
        "llmgenie-gone": ["Its", "entry", "point", "of"],
        "llmgenie-many": ["It", "has", "more", "than"],
    }


def test_the_mark_differs_after_an_installation(site: Path) -> None:
    before = distributions.mark()
    assert before == distributions.mark()
    plugin(site, "new", one="")
    assert distributions.mark() != before


def test_registered_functions_are_what_they_were_decorated_as(fresh: Registry, site: Path) -> None:
    text = """
        from llmgenie_mcp.plugins import provider, receiver, signal, sink, source

        signal("sig", {"x": "A fact."})(lambda field, situation: 1)
        sink("snk")(lambda parcel: None)
        source("src")(lambda engine, stop: None)
        receiver("rcv")(lambda headers, body, secret, now: None)
        provider("prv", mark=lambda store: 0)(lambda store, settings, trusted: [])
    """
    plugin(site, "all", one=text)
    assert plugins.signals()["sig"].read("x", None) == 1
    assert set(plugins.origins()) == {
        ("signals", "sig"),
        ("sinks", "snk"),
        ("sources", "src"),
        ("receivers", "rcv"),
        ("providers", "prv"),
    }
    assert isinstance(plugins.actions()["merge"], Action)
