"""Health, readiness and metrics, asked of a real server over a real store."""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from guarded import PATIENCE, Site, served
from prometheus_client.parser import text_string_to_metric_families
from scene import configure, define

from llmgenie_mcp import Engine, tokens
from llmgenie_mcp.engine import tally
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.errors import BadParams, UnknownName
from llmgenie_mcp.faces import readiness, rest_gauges
from llmgenie_mcp.faces.rest_metrics import Metrics

ECHO = {
    "on": "action.completed",
    "when": 'event.subject == "record_note"',
    "run": [{"action": "log_entry", "params": {"text": "saw it"}}],
}
Sample = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture
def site(engine: Engine) -> Iterator[Site]:
    with served(engine) as running:
        yield running


def samples(text: str) -> dict[Sample, float]:
    """Every sample of a page of metrics, by name and labels."""
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(text: str, name: str, **labels: str) -> float:
    """The sample of that name and exactly these labels; 0 when there is none."""
    return samples(text).get((name, frozenset(labels.items())), 0.0)


def page(metrics: Metrics) -> str:
    return bytes(metrics.page("").body).decode()


# -- health and readiness ----------------------------------------------------------------------------------------------


def checks(engine: Engine) -> dict[str, str]:
    return {check.name: check.status for check in readiness.examine(engine)}


def test_a_server_is_alive_and_ready_and_says_what_was_looked_at(site: Site) -> None:
    assert site.ask("/health").data == {"status": "ok"}
    reply = site.ask("/ready")
    assert (reply.status, reply.data["status"]) == (200, "ready")
    assert [check["name"] for check in reply.data["checks"]] == ["store", "disk", "definitions", "outbox"]
    assert all(check["status"] == "ok" for check in reply.data["checks"])


def test_details_are_for_callers_with_a_token_once_there_are_tokens(site: Site, repo: Path) -> None:
    _, secret = tokens.create(repo / ".llmgenie", "probe", "reader")
    assert site.ask("/ready").data == {"status": "ready"}
    assert site.ask("/ready", Authorization=f"Bearer {secret}").data["checks"]


def test_a_probe_writes_nothing(engine: Engine, repo: Path) -> None:
    readiness.examine(engine)
    assert not (repo / ".llmgenie").exists()
    engine.run_action("record_note", {"key": "a", "value": 1})
    before = engine.storage.last_seq()
    readiness.examine(engine)
    assert engine.storage.refresh() == before
    assert list((repo / ".llmgenie" / "run").iterdir()) == []


def test_broken_definitions_make_a_server_unready_until_they_are_mended(site: Site, repo: Path) -> None:
    path = define(repo, "policies", "mine", "name: [\n")
    reply = site.ask("/ready")
    assert (reply.status, reply.data["status"]) == (503, "unready")
    (broken,) = [check for check in reply.data["checks"] if check["status"] == "fail"]
    assert broken["name"] == "definitions"
    assert site.ask("/health").status == 200
    path.unlink()
    deadline = threading.Event()
    while site.ask("/ready").status != 200:
        assert not deadline.wait(0.1)  # an answer is given again for a second
    assert site.ask("/ready").data["status"] == "ready"


def test_a_store_that_cannot_be_written_is_not_ready(
    engine: Engine, repo: Path, open_engine: Callable[..., Engine]
) -> None:
    engine.run_action("record_note", {"key": "a", "value": 1})
    assert checks(engine)["store"] == "ok"
    assert checks(open_engine(repo, read_only=True))["store"] == "fail"
    shutil.rmtree(repo / ".llmgenie" / "run", ignore_errors=True)
    (repo / ".llmgenie" / "run").write_text("in the way", encoding="utf-8")
    assert checks(engine)["store"] == "fail"


def test_a_damaged_store_is_not_ready_and_says_what_mends_it(engine: Engine, repo: Path) -> None:
    for number in range(3):
        engine.run_action("record_note", {"key": f"a{number}", "value": 1})
    assert checks(engine)["store"] == "ok"
    with (repo / ".llmgenie" / "meta-log" / "000001.jsonl").open("ab") as log:
        log.write(b"{garbage}\n{more}\n")
    store = next(check for check in readiness.examine(engine) if check.name == "store")
    assert store.status == "fail"
    assert "doctor --repair" in store.fix


def test_a_disk_that_is_nearly_full_is_not_ready(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(readiness, "FREE_BYTES", free * 2)
    assert checks(engine)["disk"] == "fail"


def test_what_waits_needs_somebody_who_delivers(repo: Path, open_engine: Callable[..., Engine]) -> None:
    configure(repo, triggers={"echo": ECHO})
    engine = open_engine(repo)
    assert checks(engine)["outbox"] == "ok"
    assert engine.run_action("record_note", {"key": "a", "value": 1}).ok
    assert checks(engine)["outbox"] == "fail"
    dispatcher = Dispatcher(engine, sources=False)
    dispatcher.start()
    try:
        assert dispatcher.delivering.wait(PATIENCE)
        assert readiness.someone_delivers(repo / ".llmgenie")
        assert checks(engine)["outbox"] == "ok"
    finally:
        dispatcher.stop()
    assert not readiness.someone_delivers(repo / ".llmgenie")


def test_a_look_at_who_delivers_keeps_nobody_from_it(repo: Path) -> None:
    place = repo / ".llmgenie" / "run" / "outbox.lock"
    assert not readiness.someone_delivers(repo / ".llmgenie")
    place.parent.mkdir(parents=True)
    place.touch()
    assert not readiness.someone_delivers(repo / ".llmgenie")
    with place.open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert readiness.someone_delivers(repo / ".llmgenie")


def test_what_waits_for_its_turn_or_its_next_try_is_not_late() -> None:
    old, far = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
    waiting = {"destination": "a", "next_at": far, "updated_at": old}
    behind = {"destination": "a", "next_at": None, "updated_at": old}
    assert readiness.overdue([]) == 0
    assert readiness.overdue([waiting, behind]) < 0
    assert readiness.overdue([waiting, {**behind, "destination": "b"}]) > readiness.LATE


# -- metrics -----------------------------------------------------------------------------------------------------------


def test_metrics_tell_of_calls_actions_and_decisions(site: Site, engine: Engine) -> None:
    site.ask("/health")
    assert engine.run_action("record_note", {"key": "a", "value": 1}).ok
    assert engine.run_action("merge", {"branch": "main"}).status == "denied"
    engine.enforce("branch_protection", "merge", {"branch": "main"})
    engine.workflow_state()
    with pytest.raises(UnknownName):
        engine.run_action("no_such_action")
    with pytest.raises(BadParams):
        engine.run_action("record_note", {"nope": 1})
    text = site.ask("/metrics").body.decode()
    calls = "llmgenie_engine_calls_total"
    assert value(text, calls, verb="run_action", outcome="ok") == 1
    assert value(text, calls, verb="run_action", outcome="denied") == 1
    assert value(text, calls, verb="run_action", outcome="unknown_name") == 1
    assert value(text, calls, verb="run_action", outcome="bad_params") == 1
    assert value(text, calls, verb="enforce", outcome="deny") == 1
    assert value(text, calls, verb="workflow_state", outcome="ok") == 1
    assert value(text, "llmgenie_engine_call_duration_seconds_count", verb="run_action") == 4
    assert value(text, "llmgenie_actions_total", action="record_note", status="ok") == 1
    assert value(text, "llmgenie_actions_total", action="merge", status="denied") == 1
    decisions = "llmgenie_decisions_total"
    assert value(text, decisions, point="engine", rule="", effect="allow") == 1
    assert value(text, decisions, point="engine", rule="modes.discuss", effect="deny") == 1
    rule = "branch_protection/no-unapproved-merge"
    assert value(text, decisions, point="enforce", rule=rule, effect="deny") == 1
    assert "no_such_action" not in text


def test_decisions_at_hooks_are_those_that_the_project_counts(engine: Engine, repo: Path) -> None:
    engine.run_action("record_note", {"key": "a", "value": 1})
    store = repo / ".llmgenie"
    for effect, rules in (
        ("allow", ()),
        ("allow", ()),
        ("deny", ("branch_protection/no-direct-push", "gone/rule")),
        ("seen", ()),
    ):
        tally.note(store, "cursor", "beforeShellExecution", effect, rules)
    tally.note(store, "git", "pre-push", "fault")
    text = page(Metrics(engine))
    name = "llmgenie_decisions_total"
    assert value(text, name, point="cursor", rule="", effect="allow") == 2
    assert value(text, name, point="cursor", rule="branch_protection/no-direct-push", effect="deny") == 1
    assert value(text, name, point="cursor", rule="gone/rule", effect="deny") == 1
    assert value(text, name, point="git", rule="", effect="fault") == 1
    assert sum(v for (family, _), v in samples(text).items() if family == name) == 5


def test_metrics_tell_how_full_the_outbox_and_the_log_are(repo: Path, open_engine: Callable[..., Engine]) -> None:
    configure(repo, triggers={"echo": ECHO})
    engine = open_engine(repo)
    for number in range(3):
        engine.run_action("record_note", {"key": f"a{number}", "value": 1})
    text = page(Metrics(engine))
    assert value(text, "llmgenie_outbox_pending") == 3
    assert value(text, "llmgenie_outbox_dead") == 0
    assert 0 < value(text, "llmgenie_outbox_oldest_seconds") < PATIENCE
    assert value(text, "llmgenie_log_lines") == 3
    log = repo / ".llmgenie" / "meta-log" / "000001.jsonl"
    assert value(text, "llmgenie_store_bytes") == log.stat().st_size
    assert value(text, "llmgenie_store_readable") == 1


def test_requests_are_counted_by_route_and_never_by_what_a_caller_says(site: Site) -> None:
    site.ask("/webhooks/secret-name", method="POST", body=b"")
    site.ask("/nowhere/secret-name")
    site.ask("/who", method="BREW")
    site.ask("/who", host="evil.example")
    site.ask("/broken")
    text = site.ask("/metrics").body.decode()
    name = "llmgenie_http_requests_total"
    assert value(text, name, route="/webhooks/{name}", method="POST", status="200") == 1
    assert value(text, name, route="other", method="GET", status="404") == 1
    assert value(text, name, route="/who", method="other", status="405") == 1
    assert value(text, name, route="/who", method="GET", status="421") == 1
    assert value(text, name, route="/broken", method="GET", status="500") == 1
    assert value(text, "llmgenie_http_request_duration_seconds_count", route="/who") == 2
    assert "secret-name" not in text


def test_each_app_counts_for_itself(engine: Engine) -> None:
    with served(engine) as one, served(engine) as two:
        one.ask("/who")
        labels = {"route": "/who", "method": "GET", "status": "200"}
        assert value(one.ask("/metrics").body.decode(), "llmgenie_http_requests_total", **labels) == 1
        assert value(two.ask("/metrics").body.decode(), "llmgenie_http_requests_total", **labels) == 0


def test_a_closed_one_counts_no_more(engine: Engine) -> None:
    metrics = Metrics(engine)
    engine.workflow_state()
    metrics.close()
    engine.workflow_state()
    assert value(page(metrics), "llmgenie_engine_calls_total", verb="workflow_state", outcome="ok") == 1


def test_names_follow_the_conventions_and_every_one_is_explained(site: Site) -> None:
    site.ask("/who")
    families = list(text_string_to_metric_families(site.ask("/metrics").body.decode()))
    ours = [family for family in families if family.name.startswith("llmgenie_")]
    assert len(ours) >= 12
    for family in ours:
        assert family.documentation
        assert not family.name.endswith(("_ms", "_millis", "_mb"))
        if family.type == "counter":
            assert all(one.name.endswith(("_total", "_created")) for one in family.samples)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
    build = next(family for family in families if family.name == "llmgenie_build_info")
    assert set(build.samples[0].labels) == {"version", "python"}


def test_openmetrics_is_answered_to_who_asks_for_it(site: Site) -> None:
    reply = site.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.body.endswith(b"# EOF\n")
    assert site.ask("/metrics").headers["content-type"].startswith("text/plain")


def test_metrics_need_a_token_once_there_are_tokens(site: Site, repo: Path) -> None:
    _, secret = tokens.create(repo / ".llmgenie", "prometheus", "reader")
    assert site.ask("/metrics").status == 401
    assert site.ask("/metrics", Authorization=f"Bearer {secret}").status == 200


def test_a_store_that_cannot_be_read_leaves_the_other_metrics(engine: Engine, repo: Path) -> None:
    metrics = Metrics(engine)
    engine.run_action("record_note", {"key": "a", "value": 1})
    engine.close()
    text = page(metrics)
    assert value(text, "llmgenie_store_readable") == 0
    assert value(text, "llmgenie_engine_calls_total", verb="run_action", outcome="ok") == 1


def test_many_rules_do_not_make_endless_metrics(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_gauges, "DISTINCT", 1)
    metrics = Metrics(engine)
    for number in range(4):
        engine.run_action("merge", {"branch": f"b{number}"})
    found = [labels for name, labels in samples(page(metrics)) if name == "llmgenie_decisions_total"]
    assert len(found) == 2
    assert any(("rule", "other") in labels for labels in found)


def test_many_threads_lose_no_count(engine: Engine) -> None:
    metrics = Metrics(engine)
    threads = [threading.Thread(target=lambda: [engine.policy("security") for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert value(page(metrics), "llmgenie_engine_calls_total", verb="policy", outcome="ok") == 400


def test_the_process_itself_is_told_of(engine: Engine) -> None:
    assert value(page(Metrics(engine)), "process_resident_memory_bytes") > 1_000_000 or not Path("/proc").exists()
