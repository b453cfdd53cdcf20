"""Resources, their completion, and prompts, in both eras."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference, TextContent, TextResourceContents
from mcp_wire import run_action, start_session

pytestmark = pytest.mark.anyio
Connect = Callable[..., Client]


async def read(client: Client, uri: str) -> str:
    contents = (await client.read_resource(uri)).contents
    assert len(contents) == 1
    assert isinstance(contents[0], TextResourceContents)
    return contents[0].text


async def prompt(client: Client, name: str, **arguments: str) -> str:
    (message,) = (await client.get_prompt(name, arguments)).messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


async def complete(client: Client, uri: str, name: str, typed: str) -> list[str]:
    found = await client.complete(ResourceTemplateReference(uri=uri), {"name": name, "value": typed})
    return found.completion.values


async def test_state_and_policies_are_read_as_json(client: Connect, project: Path) -> None:
    async with client() as c:
        assert json.loads(await read(c, "llmgenie://state"))["project"]["root"] == str(project)
        names = {policy["name"] for policy in json.loads(await read(c, "llmgenie://policies"))}
        assert {"security", "logging", "branch_protection", "session_management"} <= names
        assert json.loads(await read(c, "llmgenie://policies/security"))["rules"]


async def test_a_context_key_with_slashes_is_read(client: Connect) -> None:
    async with client() as c:
        await run_action(c, "record_note", key="design/storage/log", value={"a": 1})
        note = json.loads(await read(c, "llmgenie://context/notes/design/storage/log"))
        tasks = json.loads(await read(c, "llmgenie://context/tasks"))
    assert note["value"]["value"] == {"a": 1}
    assert tasks["items"] == []


async def test_a_workflow_is_drawn_and_described(client: Connect) -> None:
    async with client() as c:
        page = await read(c, "llmgenie://workflows/review")
    assert "```mermaid\nstateDiagram-v2" in page
    assert "- `approve` → approved" in page
    assert "A person decides." in page


async def test_guides_are_listed_and_read_without_a_project(client: Connect) -> None:
    async with client(Path("/nowhere/at/all")) as c:
        uris = [str(resource.uri) for resource in (await c.list_resources()).resources]
        assert {"llmgenie://state", "llmgenie://guides/workflow", "llmgenie://guides/refusals"} <= set(uris)
        assert "guard_failed" in await read(c, "llmgenie://guides/refusals")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("llmgenie://policies/secrity", "Did you mean security?"),
        ("llmgenie://workflows/nope", "Known: modes"),
        ("llmgenie://context/tasks/TSK-9", "TSK-9"),
        ("llmgenie://guides/nope", "Known: refusals, workflow"),
        ("llmgenie://context/notes/../../etc/passwd", "There is no resource"),
        ("llmgenie://nothing", "There is no resource"),
        ("https://example.org/", "There is no resource"),
    ],
)
async def test_a_missing_resource_has_the_code_of_the_era_and_a_hint(
    client: Connect, mode: str, uri: str, said: str
) -> None:
    async with client() as c:
        with pytest.raises(MCPError) as caught:
            await c.read_resource(uri)
    assert caught.value.error.code == (-32002 if mode == "legacy" else -32602)
    assert said in caught.value.error.message


async def test_a_resource_of_a_project_that_cannot_be_opened_says_why(client: Connect) -> None:
    async with client(Path("/nowhere/at/all")) as c:
        with pytest.raises(MCPError) as caught:
            await c.read_resource("llmgenie://state")
    assert "/nowhere/at/all (from --project) does not exist." in caught.value.error.message


async def test_names_are_completed_from_what_exists(client: Connect) -> None:
    async with client() as c:
        await run_action(c, "create_task", title="x")
        assert await complete(c, "llmgenie://policies/{name}", "name", "se") == ["security", "session_management"]
        assert await complete(c, "llmgenie://workflows/{name}", "name", "re") == ["release", "review"]
        assert await complete(c, "llmgenie://guides/{name}", "name", "") == ["refusals", "workflow"]
        assert "tasks/TSK-1" in await complete(c, "llmgenie://context/{+key}", "key", "tasks/")
        found = await c.complete(PromptReference(name="start_session"), {"name": "task", "value": "TSK"})
        assert found.completion.values == ["TSK-1"]
        assert await complete(c, "llmgenie://other/{name}", "name", "") == []


async def test_completion_is_the_first_thing_asked_of_a_project_and_works(client: Connect) -> None:
    async with client() as c:
        assert await complete(c, "llmgenie://policies/{name}", "name", "log") == ["logging"]


async def test_prompts_are_filled_with_arguments_and_the_live_state(client: Connect, project: Path) -> None:
    async with client() as c:
        listed = {p.name: [a.name for a in p.arguments or ()] for p in (await c.list_prompts()).prompts}
        assert listed == {"start_session": ["task", "role"], "review": ["branch"], "release": ["version"]}
        session = await start_session(c)
        text = await prompt(c, "start_session", task="TSK-7")
        assert text.startswith("Begin work on TSK-7 as developer")
        assert f"Project {project.name}" in text
        assert session in text
        assert "Bring the current branch through review" in await prompt(c, "review")
        assert "Bring out 1.2.0" in await prompt(c, "release", version="1.2.0")
        assert "$" not in text


async def test_a_prompt_without_a_usable_project_still_helps(client: Connect) -> None:
    async with client(Path("/nowhere/at/all")) as c:
        text = await prompt(c, "review")
    assert "The project cannot be opened" in text


@pytest.mark.parametrize(("name", "arguments"), [("nope", {}), ("review", {"brnch": "x"})])
async def test_an_unknown_prompt_or_argument_is_refused_with_what_exists(
    client: Connect, name: str, arguments: dict[str, str]
) -> None:
    async with client() as c:
        with pytest.raises(MCPError) as caught:
            await c.get_prompt(name, arguments)
    assert caught.value.error.code == -32602
    assert "review" in caught.value.error.message
