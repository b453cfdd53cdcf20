"""Webhooks by the Standard Webhooks specification: who signed them, when, and what they tell."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webhook_senders import NOW, OTHER, SIGNING, packed, signed

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.plugins import BadRequest, Received, receivers

BODY = {"type": "Invoice.Paid", "data": {"branch": "feature/x", "amount": 3}}


def receive(headers: dict[str, str], body: bytes, secret: str = SIGNING, now: float = NOW) -> Received:
    return receivers()["standard"](headers, body, secret, now)


def refused(headers: dict[str, str], body: bytes, secret: str = SIGNING, now: float = NOW) -> int:
    with pytest.raises(BadRequest) as error:
        receive(headers, body, secret, now)
    assert secret not in error.value.message
    return error.value.status


def mac(time: str, body: bytes) -> str:
    """A signature that the library would not make."""
    text = b".".join((b"msg_1", time.encode("latin-1"), body))
    return "v1," + base64.b64encode(hmac.new(bytes(range(24)), text, hashlib.sha256).digest()).decode()


def test_a_signed_webhook_is_an_event() -> None:
    assert receive(*signed(BODY)) == Received(("msg_1",), (("invoice.paid", {"branch": "feature/x", "amount": 3}),))


def test_cloudevents_in_structured_mode_fit_too() -> None:
    body = {"specversion": "1.0", "id": "1", "source": "llmgenie/demo", "type": "review.requested", "data": {"a": [1]}}
    assert receive(*signed(body)).events == (("review.requested", {"a": [1]}),)


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {}}])
def test_data_may_be_left_out(data: dict[str, Any]) -> None:
    assert receive(*signed({"type": "done", **data})).events == (("done", {}),)


def test_the_sender_does_not_choose_which_instance_moves() -> None:
    body = {"type": "done", "data": {"instance": "REV-1", "branch": "x"}}
    assert receive(*signed(body)).events == (("done", {"branch": "x"}),)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("com.github.pull-request/opened", "com.github.pull_request_opened"),
        ("Änderung", None),
        ("user created", "user_created"),
        ("1st", None),
        ("a..b", None),
        (".a", None),
        ("", None),
        ("x" * 101, None),
        (None, None),
        (["a"], None),
        ("a\n", "a_"),
        ("org.2fa", None),
    ],
)
def test_the_type_becomes_the_name_of_an_event_or_is_refused(kind: Any, name: str | None) -> None:
    request = signed({"type": kind, "data": {}})
    if name is None:
        assert refused(*request) == 400
    else:
        assert receive(*request).events[0][0] == name


def test_a_secret_may_lack_its_beginning_and_its_padding() -> None:
    headers, body = signed(BODY)
    bare = SIGNING.removeprefix("whsec_")
    assert receive(headers, body, bare).ids == receive(headers, body, SIGNING).ids == ("msg_1",)
    unpadded = "whsec_" + base64.b64encode(b"k" * 25).decode().rstrip("=")
    assert receive(*signed(BODY, unpadded), secret=unpadded).ids == ("msg_1",)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("empty", [True, False])
def test_a_missing_header_is_no_signature(missing: str, empty: bool) -> None:
    headers, body = signed(BODY)
    headers = headers | {missing: ""} if empty else {key: text for key, text in headers.items() if key != missing}
    assert refused(headers, body) == 401


def _forgeries() -> dict[str, tuple[dict[str, str], bytes]]:
    headers, body = signed(BODY)
    signature = headers["webhook-signature"]
    text = signature.removeprefix("v1,")

    def with_signature(value: str) -> tuple[dict[str, str], bytes]:
        return headers | {"webhook-signature": value}, body

    return {
        "another body": (headers, packed(BODY | {"type": "done"})),
        "the body with a space after it": (headers, body + b" "),
        "another id": (headers | {"webhook-id": "msg_2"}, body),
        "another time": (headers | {"webhook-timestamp": str(int(NOW) + 1)}, body),
        "the time written another way": (headers | {"webhook-timestamp": f"0{int(NOW)}"}, body),
        "another secret": signed(BODY, OTHER),
        "cut short": with_signature(signature[:-1]),
        "empty": with_signature("v1,"),
        "no version": with_signature(text),
        "another version": with_signature(f"v2,{text}"),
        "of public keys": with_signature(f"v1a,{text}"),
        "no base64": with_signature("v1,***"),
        "not ascii": with_signature("v1,é€"),
        "commas": with_signature(",,,"),
        "hexadecimal": with_signature("v1," + base64.b64decode(text).hex()),
        "line break": with_signature(f"{signature}\n"),
    }


@pytest.mark.parametrize("how", sorted(_forgeries()))
def test_a_forged_request_is_refused(how: str) -> None:
    assert refused(*_forgeries()[how]) == 401


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0, None), (300, None), (-300, None), (301, 403), (-301, 403), (-86_400, 403), (86_400, 403)],
)
def test_a_request_is_taken_within_five_minutes_both_ways(seconds: int, status: int | None) -> None:
    request = signed(BODY, at=NOW + seconds)
    if status is None:
        assert receive(*request).ids == ("msg_1",)
    else:
        assert refused(*request) == status


@pytest.mark.parametrize("time", ["soon", "1.8e9", "-1800000000", " 1800000000", "1_800_000_000", "9" * 13, "¹"])
def test_a_time_that_is_signed_but_no_time_is_refused(time: str) -> None:
    headers, body = signed(BODY)
    assert refused(headers | {"webhook-timestamp": time, "webhook-signature": mac(time, body)}, body) == 400


def test_an_old_forgery_is_told_as_a_forgery() -> None:
    headers, _ = signed(BODY, at=NOW - 1000)
    assert refused(headers, b"{}") == 401


def test_while_secrets_are_exchanged_one_signature_that_fits_is_enough() -> None:
    for order in [(SIGNING, OTHER), (OTHER, SIGNING)]:
        assert receive(*signed(BODY, *order)).ids == ("msg_1",)
    for both in (f"{OTHER}\n\n  {SIGNING}\n", f"{SIGNING} {OTHER}"):
        assert receive(*signed(BODY, SIGNING), secret=both).ids == ("msg_1",)
        assert receive(*signed(BODY, OTHER), secret=both).ids == ("msg_1",)
    headers, body = signed(BODY, OTHER)
    assert refused(headers, body, secret=SIGNING) == 401


@pytest.mark.parametrize("secret", ["", " \n", "whsec_", "whsec_***", "whsec_é", "no base64!"])
def test_a_secret_that_cannot_be_one_lets_nothing_in(secret: str) -> None:
    headers, body = signed(BODY)
    with pytest.raises(ActionError) as error:
        receive(headers, body, secret)
    assert error.value.hint
    assert "***" not in str(error.value)


HOSTILE = {
    "nothing": b"",
    "a list": b"[]",
    "a text": b'"x"',
    "cut": b'{"type": "x"',
    "no json": b"<xml/>",
    "a mark of byte order": b'\xef\xbb\xbf{"type": "x"}',
    "deep": b'{"type":"x","data":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "deep lists": b'{"type":"x","data":{"a":' + b"[" * 500 + b"]" * 500 + b"}}",
    "a name twice": b'{"type": "x", "type": "y"}',
    "a name twice below": b'{"type": "x", "data": {"a": {"b": 1, "b": 2}}}',
    "many digits": b'{"type": "x", "data": {"a": ' + b"9" * 5000 + b"}}",
    "infinity": b'{"type": "x", "data": {"a": Infinity}}',
    "an infinite float": b'{"type": "x", "data": {"a": 1e999}}',
    "not a number": b'{"type": "x", "data": {"a": NaN}}',
    "NUL": b'{"type": "x", "data": {"a": "\\u0000"}}',
    "NUL in a name": b'{"type": "x", "data": {"\\u0000": 1}}',
    "half a character": b'{"type": "x", "data": {"a": "\\ud800"}}',
    "data of another type": b'{"type": "x", "data": [1]}',
    "too much": b'{"type": "x", "data": {"a": "' + b"x" * 300_000 + b'"}}',
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_body_is_refused_as_unreadable(name: str) -> None:
    assert refused(*signed(HOSTILE[name])) == 400


def test_a_body_that_is_no_text_is_refused_after_its_signature() -> None:
    headers, _ = signed(BODY)
    body = b'{"type": "\xff\xfe"}'
    assert refused(headers | {"webhook-signature": mac(str(int(NOW)), body)}, body) == 400
    assert refused(headers, body) == 401


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.text(st.characters(max_codepoint=255), max_size=40),
    ),
    st.binary(max_size=60),
)
def test_whatever_comes_unsigned_is_refused_and_nothing_else_happens(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(BadRequest) as error:
        receive(headers, body)
    assert error.value.status == 401


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["type", "data", "id"]), _JSON))
def test_whatever_is_signed_is_an_event_or_a_bad_request(body: dict[str, Any]) -> None:
    try:
        found = len(receive(*signed(body)).events)
    except BadRequest as error:
        found = error.status
    assert found in (1, 400)
