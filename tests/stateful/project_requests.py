"""What is asked of the project, and what goes wrong meanwhile, as strategies."""

from __future__ import annotations

from typing import Any

from faulty_disk import ENDS, ERRORS, Fault
from hypothesis import strategies as st
from project_model import MODES, SUMMARY, Request

SESSIONS = st.sampled_from(["SES-1", "SES-1", "SES-1", "SES-1", "SES-2", "SES-2", None, "SES-3"])
TASKS = st.sampled_from(["TSK-1", "TSK-1", "TSK-2", "TSK-3"])
VERSIONS = st.sampled_from([None, 0, 1, 2, 3])
TEXTS = st.sampled_from(["x", "ü" * 60])
CHANGING = ("open", "write", "fdatasync", "fsync", "ftruncate", "replace", "mkdir", "unlink", "flock")


def call(name: str, /, optional: dict[str, Any] | None = None, **params: Any) -> st.SearchStrategy[Any]:
    """An action with parameters, each drawn from a strategy or given."""
    drawn = {k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in params.items()}
    return st.tuples(st.just(name), st.fixed_dictionaries(drawn, optional=optional or {}))


DEPENDENCIES = st.lists(TASKS, max_size=1)
WORK = st.one_of(
    call("create_task", title=TEXTS, dependencies=DEPENDENCIES, priority=st.sampled_from(["low", "high"])),
    call("update_task", {"dependencies": DEPENDENCIES, "expected_version": VERSIONS}, id=TASKS, title=TEXTS),
    call("claim_task", {"id": TASKS}),
    call("complete_task", {"id": TASKS}, summary=st.sampled_from([SUMMARY, SUMMARY, "no"])),
    call("move_task", id=TASKS, trigger=st.sampled_from(["block", "unblock", "release", "cancel", "reopen"])),
)
"""On tasks."""
WORDS = st.one_of(
    call("record_note", {"expected_version": VERSIONS}, key=st.sampled_from("ab"), value=st.sampled_from([1, 2, None])),
    call("record_lesson", title="x"),
    call("roadmap_add", title="x"),
    call(
        "roadmap_update", {"expected_version": VERSIONS}, id=st.sampled_from(["RMI-1", "RMI-1", "RMI-2"]), title=TEXTS
    ),
    call("log_entry", text=TEXTS),
    call("event", mark=st.sampled_from("ab")),
)
"""Whatever is kept, and told."""
SPANS = st.one_of(
    call("start_session", mode=st.sampled_from(sorted(MODES))),
    call("pause_session", {"session": SESSIONS.filter(bool)}),
    call("resume_session", {"session": SESSIONS.filter(bool)}),
    call("finish_session", {"session": SESSIONS.filter(bool)}, summary=st.sampled_from([SUMMARY, "no"])),
    call("switch_mode", mode=st.sampled_from(sorted(MODES))),
)
"""On sessions and modes."""
REVIEWS = st.one_of(
    *[call(name) for name in ("run_tests", "start_review", "submit", "request_approval", "approve", "reject")],
    *[call(name) for name in ("reopen", "abandon")],
    call("switch_mode", mode="review"),
    call("decide", id=st.sampled_from(["APR-1", "APR-2"]), granted=st.booleans()),
)
"""On reviews, and a person's answers."""
KEYS = st.sampled_from([None, None, "k1", "k2"])


def requests(calls: st.SearchStrategy[Any]) -> st.SearchStrategy[Request]:
    """These calls, by several sessions and with or without an idempotency key."""
    return st.builds(lambda named, session, key: Request(*named, session, key), calls, SESSIONS, KEYS)


NTH = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5])
FAULTS = st.one_of(
    st.builds(
        lambda broken, nth, times: Fault(broken[0], nth, broken[1], times),
        st.sampled_from([(name, how) for name, errors in ERRORS.items() for how in errors]),
        NTH,
        st.sampled_from([1, 1, 100]),
    ),
    st.builds(Fault, st.sampled_from(CHANGING), NTH, st.sampled_from(ENDS)),
    st.builds(
        Fault, st.just("any"), st.integers(0, 24), st.sampled_from([0, 1, 2, 3, *ENDS]), st.sampled_from([1, 1, 100])
    ),
)
SOMETIMES = st.one_of(st.none(), st.none(), FAULTS)
