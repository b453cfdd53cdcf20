"""HTTP calls of the settings: what is sent for which parameters, what comes back, and what a parameter cannot do."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hostile import Hostile, answer, as_json, endless, hang, redirect, reset
from hypothesis import given
from hypothesis import strategies as st
from scene import codes, configure, documents, lines, started

from llmgenie_mcp import Engine
from llmgenie_mcp.actions.calls import fill
from llmgenie_mcp.config import Call
from llmgenie_mcp.errors import BadParams, DefinitionError, UnknownName
from llmgenie_mcp.records import Outcome

SECRET = "Bearer tEsT-t0ken-of-the-deploy-service"
TEXTS = {"properties": {"version": {"type": "string"}, "note": {"type": "string"}, "more": {}}}


def call(engine: Engine, _name: str = "deploy", cancel: threading.Event | None = None, **params: Any) -> Outcome:
    given = {"name": _name, "params": params}
    return engine.run_action("call_http", given, session=started(engine, mode="code"), cancel=cancel)


def calls(folder: Path, url: str, **more: Any) -> None:
    configure(folder, calls={"deploy": {"url": url, "allow_private": True, **more}})


def failed(outcome: Outcome) -> tuple[str, str]:
    assert outcome.status == "failed", outcome
    assert outcome.error is not None
    return str(outcome.error["message"]), str(outcome.error["hint"])


def filled(url: str, params: dict[str, Any], body: Any = None, **schema: Any) -> tuple[str, Any]:
    return fill(Call.model_validate({"url": url, "params": {**TEXTS, **schema}, "body": body}), params)


# -- what is sent --------------------------------------------------------------------------------------------------------


def test_a_call_is_made_as_the_settings_say(
    engine: Engine, repo: Path, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY", SECRET)
    server.on("/releases/1.2%2F3%3F%23", as_json({"id": 7, "state": "queued"}, 201))
    calls(
        repo,
        server.url("/releases/{version}?by=llmgenie&note={note}"),
        method="PUT",
        params=TEXTS,
        headers={"X-Team": "genie"},
        secret_headers={"Authorization": {"env": "DEPLOY"}},
        body={
            "version": "{version}",
            "text": "v{version}: {more} {unknown}",
            "more": "{more}",
            "note": "{note}",
            "n": [1],
        },
    )
    outcome = call(engine, version="1.2/3?#", more={"deep": [1, True]})
    assert outcome.ok, outcome
    assert outcome.result == {"status": 201, "body": {"id": 7, "state": "queued"}, "run": "RUN-1"}
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("PUT", "/releases/1.2%2F3%3F%23?by=llmgenie")
    assert asked.headers["authorization"] == SECRET
    assert (asked.headers["x-team"], asked.headers["content-type"]) == ("genie", "application/json")
    assert asked.json == {
        "version": "1.2/3?#",
        "text": 'v1.2/3?#: {"deep": [1, true]} {unknown}',
        "more": {"deep": [1, True]},
        "n": [1],
    }
    assert SECRET not in str(lines(engine))
    assert documents(engine)["runs"]["RUN-1"]["command"] == "deploy"


def test_a_call_without_a_body_sends_none(engine: Engine, repo: Path, server: Hostile) -> None:
    calls(repo, server.on("/state", answer(200, "fine\n", {"content-type": "text/plain"})), method="GET")
    outcome = call(engine)
    assert outcome.result["body"] == "fine\n"
    assert server.asked[0].body == b""
    assert "content-type" not in server.asked[0].headers


def test_parameters_are_encoded_for_where_they_stand() -> None:
    url, body = filled(
        "https://h.example/a/{version}/b?x={note}&y={more}&z=1", {"version": "ä b&c=/d", "note": "&z=2#%"}
    )
    assert url == "https://h.example/a/%C3%A4%20b%26c%3D%2Fd/b?x=%26z%3D2%23%25&z=1"
    assert body is None
    assert filled("https://h.example/a?y={more}", {})[0] == "https://h.example/a"
    assert filled("https://h.example/a?y={more}", {"more": False})[0] == "https://h.example/a?y=false"


def test_a_text_that_is_a_parameter_alone_becomes_its_value_or_is_left_out() -> None:
    body = {"a": "{more}", "b": "{note}", "list": ["{note}", "{more}", "x{note}"], "{note}": 1}
    assert filled("https://h.example/", {"more": [1, None]}, body)[1] == {
        "a": [1, None],
        "list": [[1, None], "x"],
        "{note}": 1,
    }
    assert filled("https://h.example/", {"note": "{more}"}, "{note}")[1] == "{more}", (
        "what was put in is not read again"
    )


# -- what a parameter cannot do ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["..", ".", "../admin", "a/../../b", "..\\admin", "x/..", "./x"],
)
def test_a_parameter_leads_to_no_other_place(value: str) -> None:
    with pytest.raises(BadParams, match=r"another place"):
        filled("https://h.example/items/{version}/state", {"version": value})


@given(value=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_whatever_a_parameter_is_it_stays_in_its_place(value: str) -> None:
    try:
        url, _ = filled("https://h.example/a/{version}/b?x={version}&z=1", {"version": value})
    except BadParams:
        assert ".." in re.split(r"[/\\\\]", value) or "." in re.split(r"[/\\\\]", value)
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "h.example", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "a", value, "b"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [("x", value), ("z", "1")]


def test_parts_that_only_together_lead_up_are_found() -> None:
    with pytest.raises(BadParams, match="another place"):
        filled("https://h.example/items/{version}{note}/x", {"version": ".", "note": "."})
    assert filled("https://h.example/v1.{version}", {"version": "..2"})[0] == "https://h.example/v1...2"


@pytest.mark.parametrize("params", [{}, {"version": ""}])
def test_a_part_of_the_path_cannot_be_left_out(params: dict[str, Any]) -> None:
    with pytest.raises(BadParams, match="cannot be left out or empty"):
        filled("https://h.example/items/{version}", params)


@pytest.mark.parametrize(
    "value", ["@evil.example/", "evil.example", "//evil.example", ":80@evil", "\\evil", "a\r\nX: y"]
)
def test_a_parameter_never_changes_host_or_headers(engine: Engine, repo: Path, server: Hostile, value: str) -> None:
    calls(repo, server.url("/{version}?x={version}"), params=TEXTS, method="GET")
    failed(call(engine, version=value))
    (asked,) = server.asked
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert "x" not in asked.headers
    assert asked.path.count("/") == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://{version}/x", "No parameter chooses the host"),
        ("https://h.example:{version}/x", "web address"),
        ("https://{version}.example/x", "No parameter chooses the host"),
        ("https://h.example/{versoin}", r"\{versoin\} is no parameter"),
        ("https://user:pw@h.example/", "web address"),
        ("ftp://h.example/", "web address"),
    ],
)
def test_addresses_that_cannot_work_are_told_with_their_place(engine: Engine, repo: Path, url: str, words: str) -> None:
    calls(repo, url, params=TEXTS)
    with pytest.raises(DefinitionError, match=rf"llmgenie\.yaml:1:\d+: calls\.deploy.*{words}"):
        call(engine)


def test_parameters_must_fit_the_schema(engine: Engine, repo: Path, server: Hostile) -> None:
    schema = {"properties": {"level": {"enum": ["dev", "prod"]}}, "required": ["level"]}
    calls(repo, server.url("/{level}"), params=schema)
    for params, words in (
        ({}, "level: is missing"),
        ({"level": "x"}, "level:"),
        ({"level": "dev", "other": 1}, "other"),
    ):
        outcome = call(engine, **params)
        message, hint = failed(outcome)
        assert words in message
        assert hint == "The call takes: level."
    assert not server.asked


def test_a_wrong_schema_is_the_settings_fault(engine: Engine, repo: Path, server: Hostile) -> None:
    calls(repo, server.url("/"), params={"properties": {"x": {"type": "txet"}}})
    message, hint = failed(call(engine, x="1"))
    assert "schema" in message
    assert "`params` in the settings" in hint


def test_only_what_is_in_the_settings_and_accepted_is_called(engine: Engine, repo: Path, server: Hostile) -> None:
    assert codes(call(engine)) == ["not_configured"]
    configure(repo, trusted=False, calls={"deploy": {"url": server.url("/")}})
    assert codes(call(engine)) == ["not_trusted"]
    with pytest.raises(UnknownName, match="HTTP call"):
        call(engine, "depoly")
    assert not server.asked


def test_policies_see_which_call_it_is(engine: Engine, repo: Path, server: Hostile) -> None:
    when = 'resource.type == "call" and resource.id == "deploy" and resource.method == "DELETE"'
    rule = {"id": "no-delete", "effect": "deny", "when": when, "reason": "Ask {resource.url} in person."}
    policy = {"name": "calls", "level": "always_on", "applies_to": {"actions": ["call_http"]}, "rules": [rule]}
    (repo / ".llmgenie" / "policies").mkdir(parents=True)
    (repo / ".llmgenie" / "policies" / "calls.yaml").write_text(json.dumps(policy), encoding="utf-8")
    calls(repo, server.on("/x", answer()), method="DELETE")
    outcome = call(engine)
    assert outcome.status == "denied"
    assert outcome.reasons[0].message == f"Ask {server.url('/x')} in person."
    assert not server.asked


# -- what comes back -----------------------------------------------------------------------------------------------------


def test_an_answer_that_is_no_success_fails_with_what_it_says(engine: Engine, repo: Path, server: Hostile) -> None:
    calls(repo, server.on("/x", as_json({"error": "frozen", "until": "monday"}, 409)))
    outcome = call(engine)
    assert failed(outcome)[0] == "deploy was answered with 409: frozen."
    assert {"status": 409, "body": {"error": "frozen", "until": "monday"}}.items() <= outcome.result.items()
    server.on("/x", redirect("https://evil.example/"))
    assert "No redirect is followed" in failed(call(engine))[1]
    assert len(server.asked) == 2


def test_secrets_of_the_call_and_of_others_do_not_come_back(
    engine: Engine, repo: Path, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY", SECRET)
    word, other = SECRET.split()[1], "ghp_" + "a1B2" * 9
    calls(repo, server.url("/x"), secret_headers={"Authorization": {"env": "DEPLOY"}})
    server.on("/x", as_json({"you": {"sent": [f"<{word}>"]}, word: other}), answer(500, f"trace: {SECRET} {other}"))
    good, bad = call(engine), call(engine)
    assert good.result["body"]["you"] == {"sent": ["<[secret removed]>"]}
    assert "trace: [secret removed]" in bad.result["body"] or "trace: Bearer [secret removed]" in bad.result["body"]
    for text in (str(good), str(bad), str(lines(engine))):
        assert word not in text
        assert other not in text


def test_long_deep_and_odd_answers_are_cut_to_what_somebody_reads(engine: Engine, repo: Path, server: Hostile) -> None:
    calls(repo, server.url("/x"), max_bytes=100_000)
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    server.on(
        "/x",
        answer(200, "long " * 10_000),
        as_json([{"n": n, "text": "x" * 50} for n in range(1000)]),
        as_json(deep),
        answer(200, "[" * 90_000),
        answer(200, '{"n": NaN}'),
        answer(200, '{"n": [1e999, -1e999]}'),
        answer(200, b'{"s": "\\ud800"}'),
        answer(200, b"\xff\xfe\x00"),
        answer(200, "1" * 5000),
        endless(),
    )
    for _ in range(10):
        outcome = call(engine)
        assert outcome.ok, outcome
        assert len(json.dumps(outcome.to_dict(), ensure_ascii=False).encode()) < 10_000
    assert outcome.result["cut"]


def test_no_answer_is_told_and_may_have_been_done(engine: Engine, repo: Path, server: Hostile) -> None:
    calls(repo, server.on("/x", reset(), hang()), timeout=0.3)
    assert "may have been done" in failed(call(engine))[1]
    assert "0.3 s" in failed(call(engine))[0]
    configure(repo, calls={"deploy": {"url": server.url("/x")}})
    message, hint = failed(call(engine))
    assert "allow_private" in message
    assert hint == "Nothing was sent."
    assert len(server.asked) == 2


def test_a_call_can_be_cancelled(engine: Engine, repo: Path, server: Hostile) -> None:
    calls(repo, server.on("/x", hang()), timeout=60)
    cancel, outcomes = threading.Event(), []
    thread = threading.Thread(target=lambda: outcomes.append(call(engine, cancel=cancel)))
    thread.start()
    server.wait(1)
    cancel.set()
    thread.join(20)
    assert failed(outcomes[0])[0] == "The call deploy was cancelled."


def test_a_missing_secret_is_told_by_its_place(engine: Engine, repo: Path, server: Hostile) -> None:
    calls(repo, server.url("/x"), secret_headers={"X-Key": {"file": "~/none"}})
    assert "the file ~/none" in failed(call(engine))[0]
    assert not server.asked
