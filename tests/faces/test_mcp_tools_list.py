"""What a client sees before it calls anything: the list of tools, the instructions, the texts for agents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from mcp.client import Client
from mcp_wire import MODERN

from llmgenie_mcp import plugins
from llmgenie_mcp.faces.mcp_prompts import GUIDES, PROMPTS, guide
from llmgenie_mcp.faces.mcp_tools import TOOLS

pytestmark = pytest.mark.anyio
GOLDEN = Path(__file__).parent.parent / "golden" / "tools_list.json"
NAMES = [
    "get_available_actions",
    "get_workflow_state",
    "get_policy",
    "get_context_data",
    "run_action",
    "update_context",
    "trigger_event",
    "enforce_policy",
]


def listed() -> list[dict[str, object]]:
    return [tool.listed.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in TOOLS.values()]


async def test_clients_of_both_eras_are_given_the_eight_tools_in_order(client: Callable[..., Client]) -> None:
    async with client() as c:
        tools = (await c.list_tools()).tools
        again = (await c.list_tools()).tools
    assert [tool.name for tool in tools] == NAMES
    assert tools == again


async def test_listing_tools_needs_no_project(client: Callable[..., Client]) -> None:
    async with client(Path("/nowhere/at/all")) as c:
        assert len((await c.list_tools()).tools) == 8


def test_the_list_of_tools_is_as_agreed() -> None:
    made = json.dumps({"tools": listed()}, indent=1, ensure_ascii=False) + "\n"
    assert made == GOLDEN.read_text(encoding="utf-8"), "run tests/faces/test_mcp_tools_list.py as a script to accept"


def test_the_list_of_tools_costs_at_most_8000_bytes_and_5500_without_output_schemas() -> None:
    tools = listed()
    assert len(json.dumps({"tools": tools}, separators=(",", ":"), ensure_ascii=False).encode()) <= 8_000
    for tool in tools:
        del tool["outputSchema"]
    assert len(json.dumps({"tools": tools}, separators=(",", ":"), ensure_ascii=False).encode()) <= 5_500


@pytest.mark.parametrize("tool", TOOLS.values(), ids=NAMES)
def test_every_parameter_of_a_tool_is_described_and_nothing_else_is_let_in(tool: object) -> None:
    schema = tool.listed.input_schema  # type: ignore[attr-defined]
    assert schema["additionalProperties"] is False
    for name, info in schema["properties"].items():
        assert 10 <= len(info["description"]) <= 130, name
        assert "title" not in info


@pytest.mark.parametrize("name", NAMES)
def test_server_and_tool_name_together_fit_the_limit_of_clients(name: str) -> None:
    assert len(f"mcp__llmgenie__{name}") <= 60
    assert re.fullmatch(r"[a-z_]+", name)


def test_annotations_say_what_only_reads_and_what_may_destroy() -> None:
    hints = {name: tool.hints for name, tool in TOOLS.items()}
    readers = {name for name, hint in hints.items() if hint.read_only_hint}
    assert readers == {*NAMES[:4], "enforce_policy"}
    assert {name for name, hint in hints.items() if hint.destructive_hint} == {"run_action", "update_context"}
    assert not any(hint.open_world_hint for hint in hints.values())
    assert hints["update_context"].idempotent_hint
    assert not hints["run_action"].idempotent_hint


async def test_instructions_reach_clients_of_both_eras_and_stay_under_2_kb(client: Callable[..., Client]) -> None:
    async with client() as c:
        assert c.instructions == guide("instructions")
    assert len(guide("instructions").encode()) <= 2_048
    for name in ("start_session", "get_available_actions", "run_action", "fix", "request_approval", "enforce_policy"):
        assert name in guide("instructions")


async def test_a_modern_client_may_keep_the_list_of_tools(client: Callable[..., Client]) -> None:
    async with client() as c:
        result = await c.list_tools()
        assert result.ttl_ms == (3_600_000 if c.protocol_version == MODERN else 0)


@pytest.mark.parametrize("name", ["instructions", *PROMPTS, *GUIDES])
def test_texts_for_agents_are_short_and_name_only_actions_that_exist(name: str) -> None:
    text = guide(name)
    assert len(text.encode()) <= 3_000
    known = {*plugins.actions(), *TOOLS, *GUIDES, *PROMPTS}
    for word in re.findall(r"run_action ([a-z_]+)", text):
        if word not in ("start_review", "start_release", "submit", "reject", "prepare", "verify", "rework"):
            assert word in known, word


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({"tools": listed()}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
