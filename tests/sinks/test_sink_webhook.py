"""Webhooks out: what arrives at a receiver, and what becomes of a delivery when the receiver is not well."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hostile import Hostile, answer, break_off, drip, endless, hang, hold, raw, redirect, reset
from outbox_scene import PATIENCE, delivering, drain, told, waiting
from standardwebhooks import Webhook
from webhook_scene import KEY, NEW_KEY, SECONDS, happen, not_delivered, parcel, send, to

from llmgenie_mcp import Engine, __version__
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.plugins import Delivered
from llmgenie_mcp.sinks.webhook import deliver

# -- what arrives --------------------------------------------------------------------------------------------------------


def test_an_event_arrives_signed_and_as_a_cloud_event(
    engine: Engine, repo: Path, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", KEY)
    url = server.on("/hook", answer(204))
    send(repo, there=to(url, secret={"env": "HOOK_SECRET"}, headers={"X-Team": "genie", "Webhook-Id": "mine"}))
    made = engine.trigger_event("demo.happened", {"n": 1, "name": "Ünïcode ☃"})
    drain(engine)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/hook")
    event = Webhook(KEY).verify(asked.body, dict(asked.headers))
    assert event["specversion"] == "1.0"
    assert (event["type"], event["id"]) == ("demo.happened", made["event"]["id"])
    assert event["data"] == {"n": 1, "name": "Ünïcode ☃"}
    assert None not in event.values()
    assert asked.headers["content-type"] == "application/cloudevents+json"
    assert asked.headers["user-agent"] == f"llmgenie/{__version__}"
    assert asked.headers["x-team"] == "genie"
    assert asked.headers["webhook-id"].startswith("msg_")
    assert waiting(engine) == []
    (line,) = told(engine, "delivery.completed")
    assert (line["destination"], line["message"]) == ("webhook:there", asked.headers["webhook-id"])
    assert line["detail"] == {"status": 204}


def test_an_altered_body_or_another_secret_does_not_verify(
    engine: Engine, repo: Path, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", KEY)
    send(repo, there=to(server.on("/hook", answer()), secret={"env": "HOOK_SECRET"}))
    happen(engine)
    drain(engine)
    (asked,) = server.asked
    for key, body in ((KEY, asked.body.replace(b'"n":1', b'"n":2')), (NEW_KEY, asked.body)):
        with pytest.raises(Exception, match="No matching signature"):
            Webhook(key).verify(body, dict(asked.headers))


def test_without_a_secret_nothing_is_signed_but_the_id_is_sent(server: Hostile) -> None:
    assert deliver(parcel(to(server.on("/", answer(201))))) == Delivered({"status": 201})
    (asked,) = server.asked
    assert asked.headers["webhook-id"] == "msg_1"
    assert abs(int(asked.headers["webhook-timestamp"]) - time.time()) < 60
    assert "webhook-signature" not in asked.headers


def test_two_secrets_make_two_signatures_while_one_is_replaced(server: Hostile, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{NEW_KEY}\n{KEY}\n", encoding="utf-8")
    deliver(parcel(to(server.on("/", answer()), secret={"file": str(tmp_path / "secret")})))
    (asked,) = server.asked
    assert len(asked.headers["webhook-signature"].split(" ")) == 2
    for key in (KEY, NEW_KEY):
        assert Webhook(key).verify(asked.body, dict(asked.headers))["type"] == "demo.happened"


# -- receivers that are not well -----------------------------------------------------------------------------------------


def test_it_is_tried_until_it_arrives_with_the_same_id(engine: Engine, repo: Path, server: Hostile) -> None:
    ill = (answer(500), reset(), hang(), break_off(500), raw(b"no HTTP\r\n"), drip(), answer(404), redirect("/else"))
    send(repo, there=to(server.on("/hook", *ill, answer(200)), timeout=SECONDS))
    happen(engine)
    drain(engine)
    assert len(server.to("/hook")) == len(ill) + 1
    assert len({asked.headers["webhook-id"] for asked in server.asked}) == 1
    assert len({asked.body for asked in server.asked}) == 1
    assert len(told(engine, "delivery.failed")) == len(ill)
    assert told(engine, "delivery.completed")[0]["attempts"] == len(ill)


def test_retry_after_is_waited_for_and_every_attempt_is_stamped_anew(
    engine: Engine, repo: Path, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", KEY)
    url = server.on("/hook", answer(503, headers={"Retry-After": "1"}), answer(200))
    send(repo, there=to(url, secret={"env": "HOOK_SECRET"}))
    happen(engine)
    with delivering(engine):
        first, second = server.wait(2)
    assert second.at - first.at >= 1
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert Webhook(KEY).verify(second.body, dict(second.headers))
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def in_seconds(seconds: int) -> str:
    return format_datetime((datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0), usegmt=True)


@pytest.mark.parametrize(
    ("status", "said", "low", "high"),
    [
        *((429, "120", 120, 120), (503, " 7 ", 7, 7), (503, "0", 0, 0), (429, "9" * 400, 9e8, 1e9)),
        *((429, 100, 60, 100), (503, -100, 0, 0)),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    server: Hostile, status: int, said: str | int, low: float, high: float
) -> None:
    said = said if isinstance(said, str) else in_seconds(said)
    problem = not_delivered(to(server.on("/", answer(status, headers={"Retry-After": said}))))
    assert problem.retry_after is not None
    assert low <= problem.retry_after <= high
    assert not problem.final


@pytest.mark.parametrize(
    ("status", "said"),
    [(429, "soon"), (503, ""), (503, "-5"), (429, "1e9"), (429, "Tue, 99 Nov 2026 25:00:00 GMT"), (500, "120")],
)
def test_a_retry_after_that_says_nothing_leaves_it_to_the_settings(server: Hostile, status: int, said: str) -> None:
    assert not_delivered(to(server.on("/", answer(status, headers={"Retry-After": said})))).retry_after is None


def test_gone_is_given_up_at_once(engine: Engine, repo: Path, server: Hostile) -> None:
    send(repo, there=to(server.on("/hook", answer(410))))
    happen(engine)
    drain(engine)
    assert len(server.asked) == 1
    (item,) = waiting(engine)
    assert (item["status"], item["attempts"]) == ("dead", 1)
    assert item["error"] == "The receiver answered 410: it wants no more of this webhook."


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(server: Hostile, status: int) -> None:
    problem = not_delivered(to(server.on("/hook", redirect(server.url("/inside"), status))))
    assert (
        problem.message
        == f"The receiver answered {status}; redirects are not followed: set the address it is to go to."
    )
    assert not problem.final
    assert [asked.path for asked in server.asked] == ["/hook"]


@pytest.mark.parametrize("status", [100, 200, 201, 204, 299, 400, 401, 404, 500, 599])
def test_only_2xx_is_delivered(server: Hostile, status: int) -> None:
    webhook = to(server.on("/", answer(status)), timeout=SECONDS)
    if 200 <= status < 300:
        assert deliver(parcel(webhook)).detail == {"status": status}
    else:
        assert not not_delivered(webhook).final


def test_an_endless_answer_counts_by_its_status_and_is_cut(server: Hostile) -> None:
    assert deliver(parcel(to(server.on("/", endless())))).detail == {"status": 200}
    message = not_delivered(to(server.on("/", endless(500)))).message
    assert message.startswith("The receiver answered 500: endless endless")
    assert len(message) < 250


def test_what_the_receiver_says_is_told_in_short_and_without_secrets(server: Hostile) -> None:
    said = f"sorry\r\n\x1b[2J {KEY} token=from-the-settings " + "x" * 1000
    message = not_delivered(
        to(server.on("/", answer(400, said)), headers={"Authorization": "from-the-settings"})
    ).message
    assert message.startswith("The receiver answered 400: sorry [2J [webhook_secret removed]")
    assert "from-the-settings" not in message
    assert message.isprintable()
    assert len(message) < 250


# -- one beside the other ------------------------------------------------------------------------------------------------


def test_order_is_kept_while_one_fails(engine: Engine, repo: Path, server: Hostile) -> None:
    numbers = [*range(12)]
    send(repo, there=to(server.on("/hook", *[answer(500)] * 3, answer(200), answer(503), reset(), answer(200))))
    happen(engine, *numbers)
    drain(engine)
    assert [asked.json["data"]["n"] for asked in server.asked] == [0, 0, 0, 0, 1, 1, *numbers[1:]]
    assert len({asked.headers["webhook-id"] for asked in server.asked}) == len(numbers)


def test_a_destination_that_hangs_does_not_hold_up_another(engine: Engine, repo: Path, server: Hostile) -> None:
    until = threading.Event()
    send(repo, slow=to(server.on("/slow", hold(until))), quick=to(server.on("/quick", answer(200))))
    with delivering(engine):
        happen(engine, 1, 2, 3)
        server.wait(3, "/quick")
        assert len(server.wait(1, "/slow")) == 1
        until.set()
        server.wait(3, "/slow")
    assert [asked.json["data"]["n"] for asked in server.to("/slow")] == [1, 2, 3]


def test_it_is_dead_after_its_attempts_and_can_be_sent_anew(engine: Engine, repo: Path, server: Hostile) -> None:
    send(repo, there=to(server.on("/hook", answer(500, "try me later"))), deliveries={"attempts": 3})
    happen(engine)
    drain(engine)
    assert len(server.asked) == 3
    (item,) = waiting(engine, status="dead")
    assert (item["attempts"], item["error"]) == (3, "The receiver answered 500: try me later")
    assert len(told(engine, "delivery.given_up")) == 1
    server.on("/hook", answer(200))
    assert engine.replay_deliveries() == [item["id"]]
    drain(engine)
    assert len(server.asked) == 4
    assert {asked.headers["webhook-id"] for asked in server.asked} == {item["message"]}
    assert waiting(engine) == []


# -- when the one who delivers ends ----------------------------------------------------------------------------------------


def test_stopping_breaks_off_what_hangs_and_it_does_not_count(engine: Engine, repo: Path, server: Hostile) -> None:
    send(repo, there=to(server.on("/hook", hang()), timeout=60))
    happen(engine)
    dispatcher = Dispatcher(engine, sources=False)
    dispatcher.start()
    server.wait(1)
    began = time.monotonic()
    dispatcher.stop(grace=0)
    assert time.monotonic() - began < 20
    (item,) = waiting(engine)
    assert (item["status"], item["attempts"]) == ("pending", 0)
    server.on("/hook", answer(200))
    drain(engine)
    assert len({asked.headers["webhook-id"] for asked in server.wait(2)}) == 1


DELIVER = """
import sys, threading
from llmgenie_mcp import Engine
from llmgenie_mcp.engine.dispatcher import Dispatcher
Dispatcher(Engine.open(sys.argv[1]), sources=False).start()
threading.Event().wait()
"""


@pytest.mark.crash
def test_what_was_under_way_when_the_process_was_killed_is_sent_again_with_the_same_id(
    engine: Engine, repo: Path, server: Hostile
) -> None:
    send(repo, there=to(server.on("/hook", hang(), answer(200)), timeout=60))
    happen(engine)
    with subprocess.Popen([sys.executable, "-c", DELIVER, str(repo)]) as process:
        server.wait(1)
        process.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
    assert len(waiting(engine)) == 1
    drain(engine)
    first, second = server.asked
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert json.loads(first.body) == json.loads(second.body)
    assert waiting(engine) == []
