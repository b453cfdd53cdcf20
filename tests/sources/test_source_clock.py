"""The clock raises the events of schedules: at their time, once, and what was missed with measure."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from outbox_scene import Heard, delivering, drain, noted, rules, told, waiting
from scene import configure

from llmgenie_mcp import Engine, schedules, trust
from llmgenie_mcp.sources import clock
from llmgenie_mcp.sources.clock import Clock

Open = Callable[..., Engine]
EVERY_MINUTE = "* * * * *"
NIGHTLY = "0 3 * * *"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOON = at("2026-03-10T12:00:30")


def nightly(folder: Path, schedule: str = NIGHTLY, **more: object) -> None:
    rules(folder, nightly={"schedule": schedule, **more})


def dues(engine: Engine) -> list[str]:
    """When the events that were raised were due."""
    return [line["params"]["due"] for line in told(engine, "event.received")]


def test_a_rule_gets_its_event_at_its_time_and_runs(engine: Engine, repo: Path) -> None:
    nightly(repo)
    ticking = Clock(engine)
    assert ticking.look(NOON) == clock.LOOK
    assert ticking.look(at("2026-03-11T02:59:57")) == pytest.approx(3), "it looks again when the time has come"
    assert dues(engine) == []
    ticking.look(at("2026-03-11T03:00:00"))
    ticking.look(at("2026-03-11T03:00:05"))
    (line,) = told(engine, "event.received")
    assert (line["action"], line["actor"]) == ("schedule.nightly", {"kind": "system", "id": "schedule"})
    assert line["params"] == {"rule": "nightly", "due": "2026-03-11T03:00:00Z"}
    drain(engine)
    assert noted(engine) == ["heard schedule.nightly"]


def test_a_name_with_a_dash_is_the_same_word_in_the_event(engine: Engine, repo: Path) -> None:
    rules(repo, **{"every-night": {"schedule": NIGHTLY}})
    ticking = Clock(engine)
    ticking.look(NOON)
    ticking.look(at("2026-03-11T03:00:00"))
    drain(engine)
    assert noted(engine) == ["heard schedule.every_night"]


def test_rules_whose_names_make_the_same_event_do_not_run_at_each_others_times(engine: Engine, repo: Path) -> None:
    rules(repo, **{"a-b": {"schedule": NIGHTLY}, "a_b": {"schedule": "0 4 * * *"}})
    ticking = Clock(engine)
    ticking.look(NOON)
    ticking.look(at("2026-03-11T03:00:00"))
    drain(engine)
    ran = [line["actor"]["id"] for line in told(engine, "action.completed")]
    assert ran == ["trigger:a-b"]


def test_two_clocks_raise_one_event(engine: Engine, repo: Path, open_engine: Open) -> None:
    nightly(repo)
    clocks = [Clock(engine), Clock(open_engine(repo))]
    for ticking in clocks:
        ticking.look(NOON)
    threads = [threading.Thread(target=c.look, args=(at("2026-03-11T03:00:01"),)) for c in clocks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert dues(engine) == ["2026-03-11T03:00:00Z"]


def test_a_rule_that_nobody_has_seen_before_begins_now(engine: Engine, repo: Path) -> None:
    nightly(repo)
    Clock(engine).look(at("2026-03-11T03:00:30"))
    assert dues(engine) == []


@pytest.mark.parametrize(
    ("until", "found"),
    [
        ("2026-03-10T23:00", []),
        ("2026-03-11T03:00", ["2026-03-11T03:00:00Z"]),
        ("2026-03-12T02:59:59", ["2026-03-11T03:00:00Z"]),
        ("2026-03-17T12:00", ["2026-03-17T03:00:00Z"]),
    ],
)
def test_of_what_was_missed_the_newest_is_made_up_for(engine: Engine, repo: Path, until: str, found: list[str]) -> None:
    nightly(repo)
    Clock(engine).look(NOON)
    for _ in range(2):
        Clock(engine).look(at(until))
    assert dues(engine) == found


def test_what_was_missed_more_than_a_day_ago_is_not_made_up_for(engine: Engine, repo: Path) -> None:
    nightly(repo, "0 3 * * 1")
    Clock(engine).look(at("2026-03-08T12:00"))
    Clock(engine).look(at("2026-03-10T03:00:01"))
    assert dues(engine) == [], "it was due on Monday, the 9th"
    Clock(engine).look(at("2026-03-16T03:00:01"))
    assert dues(engine) == ["2026-03-16T03:00:00Z"]


def test_what_a_changed_schedule_would_have_missed_is_not_made_up_for(engine: Engine, repo: Path) -> None:
    nightly(repo)
    Clock(engine).look(NOON)
    nightly(repo, "0 4 * * *")
    Clock(engine).look(at("2026-03-11T09:00"))
    nightly(repo, "0 4 * * *", timezone="America/New_York")
    Clock(engine).look(at("2026-03-11T10:00"))
    assert dues(engine) == []


def test_what_a_rule_missed_while_it_was_switched_off_is_not_made_up_for(engine: Engine, repo: Path) -> None:
    ticking = Clock(engine)
    nightly(repo)
    ticking.look(NOON)
    nightly(repo, enabled=False)
    ticking.look(at("2026-03-10T13:00"))
    ticking.look(at("2026-03-11T03:00:01"))
    nightly(repo)
    ticking.look(at("2026-03-11T09:00"))
    assert dues(engine) == []
    ticking.look(at("2026-03-12T03:00:01"))
    assert dues(engine) == ["2026-03-12T03:00:00Z"]


def test_what_was_done_is_not_done_again_after_a_restart_though_receipts_were_pushed_out(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmgenie_mcp.engine.receipts.KEPT", 3)
    nightly(repo)
    ticking = Clock(engine)
    ticking.look(NOON)
    ticking.look(at("2026-03-11T03:00:01"))
    for number in range(5):
        engine.trigger_event("other.thing", receipt=(f"other:{number}",))
    Clock(engine).look(at("2026-03-11T12:00"))
    assert [due for due in (line.get("params", {}).get("due") for line in told(engine, "event.received")) if due] == [
        "2026-03-11T03:00:00Z"
    ]


def test_a_clock_that_jumps_ahead_causes_one_event_and_one_set_back_causes_none(engine: Engine, repo: Path) -> None:
    nightly(repo, EVERY_MINUTE)
    ticking = Clock(engine)
    ticking.look(NOON)
    ticking.look(NOON + timedelta(days=365))
    assert dues(engine) == ["2027-03-10T12:00:00Z"]
    ticking.look(NOON)
    ticking.look(NOON + timedelta(seconds=10))
    assert len(dues(engine)) == 1
    ticking.look(NOON + timedelta(seconds=60))
    ticking.look(NOON)
    ticking.look(NOON + timedelta(seconds=60))
    assert dues(engine)[1:] == ["2026-03-10T12:01:00Z"], "the year that was skipped by mistake is no year of silence"
    Clock(engine).look(NOON + timedelta(seconds=120))
    assert dues(engine)[2:] == ["2026-03-10T12:02:00Z"], "nor after a restart"


def test_a_day_of_every_minute_is_a_look_now_and_then_and_each_minute_once(engine: Engine, repo: Path) -> None:
    nightly(repo, EVERY_MINUTE)
    ticking, now, looks = Clock(engine), NOON, 0
    while now < NOON + timedelta(minutes=20):
        now += timedelta(seconds=ticking.look(now))
        looks += 1
    assert dues(engine) == [f"2026-03-10T12:{minute:02}:00Z" for minute in range(1, 21)]
    assert looks <= 20 * 14
    assert len(told(engine, "trigger.scheduled")) == 1, "the log is not filled with notes about looking"


@pytest.mark.parametrize(
    ("schedule", "day", "found"),
    [
        ("30 2 * * *", "2026-03-29", ["01:00"]),  # 02:30 is left out: the next time there is, 03:00 CEST
        ("30 2 * * *", "2026-10-25", ["00:30"]),  # 02:30 comes twice: the first, CEST
        ("30 * * * *", "2026-10-25", ["00:30", "01:30"]),
        ("0 3 * * *", "2026-03-29", ["01:00"]),
        ("0 3 * * *", "2026-10-25", ["02:00"]),
    ],
)
def test_a_time_of_day_comes_once_on_the_day_clocks_are_changed(
    engine: Engine, repo: Path, schedule: str, day: str, found: list[str]
) -> None:
    nightly(repo, schedule, timezone="Europe/Berlin")
    ticking, now = Clock(engine), at(f"{day}T00:00:00")
    while now < at(f"{day}T02:20:00"):
        ticking.look(now)
        now += timedelta(minutes=4)
    assert dues(engine) == [f"{day}T{time}:00Z" for time in found]


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"]
FIELD = st.sampled_from(["*", "*/7", "0", "1", "2", "3", "30", "59", "0,30", "1-3"])


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(FIELD, st.sampled_from(["*", "0", "1", "2", "3", "*/2", "0-2"])),
    st.sampled_from(ZONES),
    st.integers(0, 2 * 365 * 24 * 4),
)
@example(("30", "2"), "Europe/Berlin", 298 * 96 + 4)  # in the second 02:00 to 03:00 of the day clocks are set back
def test_due_times_rise_are_later_than_asked_and_do_not_depend_on_where_one_begins(
    fields: tuple[str, str], zone: str, quarter: int
) -> None:
    where = schedules.zone(zone)
    assert where is not None
    expression, start = f"{fields[0]} {fields[1]} * * *", at("2025-01-01T00:07") + timedelta(minutes=15 * quarter)
    found = []
    for due in schedules.due_times(expression, where, start):
        found.append(due)
        if due > start + timedelta(hours=30):
            break
    assert found == sorted(set(found))
    assert found[0] > start
    middle = start + timedelta(hours=11)
    later = schedules.due_times(expression, where, middle)
    assert [next(later) for due in found if due > middle] == [due for due in found if due > middle]


def test_rules_are_read_again_at_every_look(engine: Engine, repo: Path) -> None:
    ticking = Clock(engine)
    assert ticking.look(NOON) == clock.LOOK
    nightly(repo)
    ticking.look(NOON)
    (repo / ".llmgenie" / "llmgenie.yaml").write_text("triggers: [", encoding="utf-8")
    assert ticking.look(at("2026-03-11T03:00:01")) == clock.LOOK
    assert dues(engine) == []
    nightly(repo)
    ticking.look(at("2026-03-11T03:10:00"))
    assert dues(engine) == ["2026-03-11T03:00:00Z"], "made up for when they can be read again"


def test_rules_that_nobody_accepted_have_no_clock(engine: Engine, repo: Path) -> None:
    ticking = Clock(engine)
    rules(repo, trusted=False, nightly={"schedule": EVERY_MINUTE})
    ticking.look(NOON)
    ticking.look(NOON + timedelta(minutes=5))
    assert told(engine) == []
    trust.trust(repo / ".llmgenie")
    ticking.look(NOON + timedelta(minutes=6))
    ticking.look(NOON + timedelta(minutes=7))
    assert dues(engine) == ["2026-03-10T12:07:00Z"]


def test_what_cannot_be_written_is_raised_when_it_can(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from llmgenie_mcp.errors import StorageFull

    def full(*_: object, **__: object) -> None:
        raise StorageFull("The disk is full.", "Make room.")

    nightly(repo, EVERY_MINUTE)
    ticking = Clock(engine)
    ticking.look(NOON)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(engine, "trigger_event", full)
        for seconds in (31, 36, 41):
            ticking.look(NOON + timedelta(seconds=seconds))
    assert [record.message for record in caplog.records] == [
        "the schedule of nightly could not be seen to: The disk is full."
    ]
    ticking.look(NOON + timedelta(seconds=46))
    assert dues(engine) == ["2026-03-10T12:01:00Z"]


def test_without_the_library_there_is_one_warning_and_no_crash(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    ticking = Clock(engine)
    ticking.look(NOON)
    assert caplog.records == [], "nobody has a schedule, so nobody misses it"
    nightly(repo)
    for _ in range(3):
        assert ticking.look(NOON) == clock.LOOK
    (record,) = caplog.records
    assert "pip install 'llmgenie-mcp[schedule]'" in record.message


def test_without_time_zones_on_this_machine_there_is_one_warning(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import zoneinfo

    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        rules(repo, nightly={"schedule": EVERY_MINUTE}, there={"schedule": EVERY_MINUTE, "timezone": "Europe/Berlin"})
        ticking = Clock(engine)
        for minute in range(3):
            ticking.look(NOON + timedelta(minutes=minute))
    finally:
        zoneinfo.reset_tzpath(to=before)
    (record,) = caplog.records
    assert "no time zone Europe/Berlin: pip install tzdata" in record.message
    assert len(dues(engine)) == 2, "UTC needs no files"


def test_the_clock_runs_in_the_process_that_delivers_and_stops_with_it(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly(repo, EVERY_MINUTE)
    Clock(engine).look(datetime.now(UTC) - timedelta(minutes=10))
    heard = Heard(engine)
    with delivering(engine, sources=True):
        heard.until_told("action.completed")
    assert noted(engine) == ["heard schedule.nightly"]
    assert waiting(engine) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "llmgenie-clock"]


def test_a_project_without_schedules_is_left_as_it_is(engine: Engine, repo: Path) -> None:
    configure(repo, commands={"test": {"argv": ["true"]}})
    Clock(engine).look(NOON)
    assert told(engine) == []
