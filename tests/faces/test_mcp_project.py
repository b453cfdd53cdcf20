"""Which project a server is about, and what a caller hears when there is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ListRootsResult, Root
from mcp_wire import call, data, envelope, git, spawned, text_of

from llmgenie_mcp.engine import Engine
from llmgenie_mcp.faces.mcp_project import choose_root
from llmgenie_mcp.faces.mcp_server import create_server

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]
Connect = Callable[..., Client]


class Window:
    """A client's open folders, and how often it was asked for them."""

    def __init__(self, *folders: Path) -> None:
        self.asked = 0
        self._folders = folders

    async def __call__(self, _context: object) -> ListRootsResult:
        self.asked += 1
        return ListRootsResult(roots=[Root(uri=folder.as_uri()) for folder in self._folders])  # type: ignore[arg-type]


async def root_of(client: Client) -> tuple[str, str]:
    """The project's folder, and how it was found."""
    project = (await data(client, "get_workflow_state"))["project"]
    return project["root"], project["found_by"]


async def test_the_folder_named_at_the_start_goes_before_all(
    client: Connect, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMGENIE_PROJECT", str(tmp_path))
    window = Window(tmp_path)
    async with client(list_roots_callback=window) as c:
        assert await root_of(c) == (str(project), "--project")
    assert window.asked == 0


async def test_the_environment_goes_before_the_clients_roots(
    client: Connect, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMGENIE_PROJECT", str(project))
    window = Window(tmp_path)
    async with client(None, list_roots_callback=window) as c:
        assert await root_of(c) == (str(project), "the environment variable LLMGENIE_PROJECT")
    assert window.asked == 0


async def test_the_clients_roots_are_asked_for_once_in_both_eras(client: Connect, project: Path) -> None:
    window = Window(project)
    async with client(None, list_roots_callback=window) as c:
        assert await root_of(c) == (str(project), "the client's roots")
        assert await root_of(c) == (str(project), "the client's roots")
    assert window.asked == 1


async def test_resources_and_prompts_ask_for_roots_as_tools_do(client: Connect, project: Path) -> None:
    window = Window(project)
    async with client(None, list_roots_callback=window) as c:
        assert (await c.read_resource("llmgenie://state")).contents
    async with client(None, list_roots_callback=window) as c:
        (message,) = (await c.get_prompt("review")).messages
        assert project.name in str(message.content)
    assert window.asked == 2


@pytest.mark.parametrize("roots", [None, Window(), Window(Path("/nowhere/at/all"))])
async def test_without_usable_roots_the_current_folder_decides(
    client: Connect, project: Path, monkeypatch: pytest.MonkeyPatch, roots: Window | None
) -> None:
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    async with client(None, list_roots_callback=roots) as c:
        assert await root_of(c) == (str(project), "the current folder")


async def test_a_handshake_client_that_does_not_answer_for_its_roots_is_served(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_context: object) -> ListRootsResult:
        raise MCPError(-32603, "no window")

    monkeypatch.chdir(project)
    async with Client(create_server(), mode="legacy", list_roots_callback=broken) as c:
        assert await root_of(c) == (str(project), "the current folder")


def test_a_modern_client_that_brings_no_roots_is_served_all_the_same(project: Path) -> None:
    with spawned(project, code="from llmgenie_mcp.faces.mcp_server import run; run()") as wire:
        asked = {"name": "get_workflow_state", "arguments": {}, "_meta": envelope(roots={})}
        question = wire.request("tools/call", asked)["result"]
        assert question["inputRequests"]["roots"]["method"] == "roots/list"
        answer = wire.request("tools/call", {**asked, "inputResponses": {}})["result"]
        assert answer["structuredContent"]["project"]["found_by"] == "the current folder"


def test_of_several_roots_the_one_with_a_store_wins_then_the_one_in_git(project: Path, tmp_path: Path) -> None:
    plain, stored = tmp_path / "plain", tmp_path / "stored ü"
    plain.mkdir()
    (stored / ".llmgenie").mkdir(parents=True)
    assert choose_root([plain.as_uri(), project.as_uri(), stored.as_uri()]) == stored
    assert choose_root([plain.as_uri(), project.as_uri()]) == project
    assert choose_root([plain.as_uri()]) == plain
    assert choose_root(["https://example.org/x", "file://elsewhere/x", "file:///no/such", "file:///%00", ""]) is None


async def test_a_project_that_cannot_be_opened_is_told_at_each_call_and_tried_again(
    client: Connect, tmp_path: Path
) -> None:
    late = tmp_path / "late"
    async with client(late) as c:
        for _ in range(2):
            result = await call(c, "get_workflow_state")
            assert result.is_error
            assert f"{late} (from --project) does not exist." in text_of(result)
            assert "(code: project)" in text_of(result)
        late.mkdir()
        assert (await root_of(c))[0] == str(late)


async def test_a_file_a_placeholder_and_a_broken_setting_are_told(client: Connect, project: Path) -> None:
    async with client(project / "README.md") as c:
        assert "is a file." in text_of(await call(c, "get_workflow_state"))
    async with client(Path("${workspaceFolder}")) as c:
        assert "must be filled in by the client" in text_of(await call(c, "get_workflow_state"))
    (project / ".llmgenie").mkdir()
    (project / ".llmgenie" / "llmgenie.yaml").write_text("durability: always\n", encoding="utf-8")
    async with client() as c:
        result = await call(c, "get_workflow_state")
        assert "(code: bad_definition)" in text_of(result)
        assert "llmgenie.yaml:1:" in text_of(result)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_project_that_cannot_be_written_is_read_all_the_same(client: Connect, project: Path) -> None:
    project.chmod(0o500)
    try:
        async with client() as c:
            assert (await data(c, "get_workflow_state"))["mode"] == "discuss"
            result = await call(c, "run_action", action="create_task", params={"title": "x"})
            assert "(code: storage_read_only)" in text_of(result)
    finally:
        project.chmod(0o700)


async def test_reading_leaves_no_trace_in_the_project(client: Connect, project: Path) -> None:
    async with client() as c:
        await data(c, "get_workflow_state")
        await data(c, "get_available_actions")
    assert git(project, "status", "--porcelain", "--ignored") == ""


async def test_a_tool_is_called_without_a_client_too(project: Path) -> None:
    server = create_server(str(project))
    try:
        result = await server.call_tool("run_action", {"action": "create_task", "params": {"title": "x"}})
        assert isinstance(result, CallToolResult)
        assert "create_task: done." in text_of(result)
    finally:
        await server.project.close()


async def test_an_engine_that_is_given_stays_open(project: Path) -> None:
    with Engine.open(project) as engine:
        async with Client(create_server(engine=engine)) as c:
            await data(c, "run_action", action="create_task", params={"title": "x"})
        assert engine.run_action("create_task", {"title": "y"}).ok


async def test_calls_that_come_together_open_the_project_once(
    client: Connect, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    import anyio

    opened = []
    real = Engine.open.__func__  # type: ignore[attr-defined]

    def counting(cls: type[Engine], *args: object, **more: object) -> Engine:
        opened.append(args)
        return real(cls, *args, **more)  # type: ignore[no-any-return]

    monkeypatch.setattr(Engine, "open", classmethod(counting))
    async with client() as c, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(data, c, "get_workflow_state")
    assert len(opened) == 1
