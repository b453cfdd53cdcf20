"""`llmgenie upstream`: what a person does about servers behind this one, in a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_fixtures import WORD, answer, data, run, terminal
from scene import configure
from upstream_scene import raw, tool

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.faces.cli_base import Cli
from llmgenie_mcp.faces.cli_known import KINDS
from llmgenie_mcp.loader.settings import load_settings
from llmgenie_mcp.upstream import listing


def known(repo: Path, name: str = "shop") -> listing.Listing:
    """What is known of an upstream."""
    store = repo / ".llmgenie"
    return listing.load(store, name, load_settings(store).upstreams[name])


def settings(repo: Path) -> Path:
    """The file of the settings."""
    return repo / ".llmgenie" / "llmgenie.yaml"


def entries(repo: Path, place: str = ".mcp.json", **servers: Any) -> None:
    """Write an `mcp.json`."""
    path = repo / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")


# -- what is there, and accepting it


def test_servers_and_their_tools_are_listed_with_what_is_to_be_done(repo: Path, tmp_path: Path) -> None:
    configure(repo, upstreams={"shop": raw(tmp_path, tool("look", readOnlyHint=True), "buy")})
    assert data("upstream", "list", project=repo)["items"][0]["listed_at"] == "never"
    assert "llmgenie upstream refresh" in run("upstream", "list", project=repo).stdout
    found = data("upstream", "refresh", project=repo)["items"][0]
    assert (found["tools"], found["accepted"], found["waiting"]) == (2, 0, ["look", "buy"])
    assert "llmgenie upstream accept shop" in run("upstream", "list", project=repo).stdout
    rows = data("upstream", "list", "shop", project=repo)["tools"]
    assert [(row["name"], row["status"], row["kind"]) for row in rows] == [
        ("look", "new", "reads"), ("buy", "new", "may destroy"),
    ]  # fmt: skip


def test_what_waits_for_a_person_is_told_wherever_one_looks(repo: Path, tmp_path: Path) -> None:
    def told(answer: Any) -> list[str]:
        return [line for line in answer["warnings"] if line.startswith("shop: ")]

    def doctor() -> list[tuple[str, str]]:
        checks = answer("doctor", project=repo)[1]["data"]["checks"]
        return [(check["status"], check["fix"]) for check in checks if check["name"] == "upstream shop"]

    configure(repo, upstreams={"shop": raw(tmp_path, "look", "buy")})
    with Engine.open(repo) as engine:
        assert doctor() == [("warn", "llmgenie upstream refresh shop")]
        assert engine.run_action("shop.list_tools").ok
        (line,) = told(engine.workflow_state())
        assert "2 of its tools wait for a person" in line
        assert "llmgenie upstream accept shop" in line
        assert told(data("state", project=repo)) == [line]
        assert doctor() == [("warn", "llmgenie upstream accept shop")]
        (reason,) = engine.run_action("shop.buy", {}).reasons
        assert "llmgenie upstream accept shop buy" in reason.message
        upstream = engine.definitions.settings.upstreams["shop"]
        listing.accept(engine.project.store, "shop", upstream, known(repo).tools.values())
        assert "warnings" not in engine.workflow_state()
    assert "shop: " not in json.dumps(data("state", project=repo))
    assert doctor()[0][0] == "ok"


def test_completion_knows_tools_as_soon_as_they_are_listed_and_accepted(repo: Path, tmp_path: Path) -> None:
    def offered() -> dict[str, str]:
        cli = Cli()
        cli.folder = str(repo)
        return {name: told for name, told in KINDS["actions"](cli, "shop.") if name.startswith("shop.")}

    configure(repo, upstreams={"shop": raw(tmp_path, "buy")})
    assert list(offered()) == ["shop.list_tools"]
    with Engine.open(repo) as engine:
        assert engine.run_action("shop.list_tools").ok
        assert offered()["shop.buy"] == "It waits for a person who accepts it."
        upstream = engine.definitions.settings.upstreams["shop"]
        listing.accept(engine.project.store, "shop", upstream, known(repo).tools.values())
    assert offered()["shop.buy"] == "Does it."


def test_nothing_is_started_before_the_settings_are_trusted(repo: Path, tmp_path: Path) -> None:
    configure(repo, trusted=False, upstreams={"shop": raw(tmp_path, "buy")})
    code, document = answer("upstream", "refresh", project=repo)
    assert code == 2
    assert "llmgenie trust" in document["error"]["hint"]
    assert not (tmp_path / "raw.log").exists()


def test_a_server_that_does_not_start_does_not_stop_the_others(repo: Path, tmp_path: Path) -> None:
    configure(repo, upstreams={"bad": {"command": ["false"]}, "shop": raw(tmp_path, "buy")})
    code, document = answer("upstream", "refresh", project=repo)
    assert code == 1
    assert [one["name"] for one in document["data"]["failed"]] == ["bad"]
    assert "exit code 1" in document["data"]["failed"][0]["message"]
    assert [one["name"] for one in document["data"]["items"]] == ["shop"]


def test_a_person_accepts_tools_with_their_texts_in_view(repo: Path, tmp_path: Path) -> None:
    odd = tool("buy", description="Buy it.\u200b\u202eEvil \x1b[2J")
    configure(repo, upstreams={"shop": raw(tmp_path, odd, "sell")})
    data("upstream", "refresh", project=repo)
    with terminal("upstream", "accept", "shop", "buy", "--project", str(repo)) as screen:
        word = screen.wait_for(WORD)[1]
        assert "Buy it.Evil [2J" in screen.shown
        assert "3 characters that nobody sees" in screen.shown
        assert "sell" not in screen.shown
        screen.type(word)
        assert screen.ended() == 0, screen.shown
    assert [each.name for each in known(repo).waiting()] == ["sell"]
    with Engine.open(repo) as engine:
        assert engine.run_action("shop.buy").ok
        assert engine.run_action("shop.sell").status == "denied"


def test_anything_but_the_word_accepts_nothing(repo: Path, tmp_path: Path) -> None:
    configure(repo, upstreams={"shop": raw(tmp_path, "buy")})
    data("upstream", "refresh", project=repo)
    with terminal("upstream", "accept", "shop", "--project", str(repo)) as screen:
        screen.wait_for(WORD)
        screen.type("yes")
        assert screen.ended() == 1
    assert known(repo).waiting()


def test_a_change_is_shown_beside_what_was_accepted(repo: Path, tmp_path: Path) -> None:
    configure(repo, upstreams={"shop": raw(tmp_path, tool("buy", description="Buy a cat."))})
    data("upstream", "refresh", project=repo)
    listing.accept(
        repo / ".llmgenie", "shop", load_settings(repo / ".llmgenie").upstreams["shop"], known(repo).waiting()
    )
    raw(tmp_path, tool("buy", description="Buy a dog."))
    data("upstream", "refresh", project=repo)
    with terminal("upstream", "accept", "shop", "--project", str(repo)) as screen:
        word = screen.wait_for(WORD)[1]
        for part in ("changed: description", "Buy a dog.", "before: Buy a cat."):
            assert part in screen.shown
        screen.type(word)
        assert screen.ended() == 0
    assert not known(repo).waiting()


def test_accepting_needs_a_person(repo: Path, tmp_path: Path) -> None:
    configure(repo, upstreams={"shop": raw(tmp_path, "buy")})
    data("upstream", "refresh", project=repo)
    code, document = answer("upstream", "accept", "shop", project=repo)
    assert code == 1
    assert document["error"]["code"] == "needs_person"
    assert known(repo).waiting()


def test_trust_says_what_would_be_started(repo: Path) -> None:
    shop = {"command": ["npx", "-y", "shop"], "env": {"SHOP_KEY": {"env": "KEY"}}}
    configure(repo, trusted=False, upstreams={"shop": shop, "web": {"url": "https://example.org/mcp"}})
    shown = run("trust", "--show", project=repo).stdout
    assert 'starts ["npx", "-y", "shop"]' in shown
    assert "SHOP_KEY" in shown
    assert "https://example.org/mcp" in shown


# -- into the settings and out of them

BEFORE = """# The team's settings.
commands:
  test: {argv: [pytest, -q]}  # all of them

# last line
"""


def test_servers_of_an_editor_are_taken_over_and_comments_stay(repo: Path) -> None:
    settings(repo).parent.mkdir()
    settings(repo).write_text(BEFORE, encoding="utf-8")
    entries(
        repo,
        ".cursor/mcp.json",
        llmgenie={"command": "uvx", "args": ["llmgenie-mcp", "--project", "${workspaceFolder}"]},
        GitHub={
            "command": "npx",
            "args": ["-y", "server-github"],
            "env": {"GITHUB_TOKEN": "ghp_" + "a" * 36, "LOG_LEVEL": "debug", "KEY": "${env:OTHER}"},
        },
        files={"command": "npx", "args": ["-y", "server-filesystem", "${workspaceFolder}"]},
        docs={"url": "https://example.org/mcp", "headers": {"Authorization": "Bearer abcdefgh12345678"}},
    )
    done = data("upstream", "add", "--yes", project=repo)
    assert done["written"]
    text = settings(repo).read_text(encoding="utf-8")
    assert text.startswith("# The team's settings.\n")
    assert "# all of them" in text
    assert "# last line" in text
    assert "ghp_" not in text
    assert "abcdefgh" not in text
    assert "ghp_" not in json.dumps(done)
    found = load_settings(repo / ".llmgenie")
    assert found.commands["test"].argv == ["pytest", "-q"]
    written = {name: one.model_dump(mode="json", exclude_defaults=True) for name, one in found.upstreams.items()}
    assert written == {
        "github": {
            "command": ["npx", "-y", "server-github"],
            "env": {
                "GITHUB_TOKEN": {"env": "GITHUB_TOKEN"},
                "LOG_LEVEL": "debug",
                "KEY": {"env": "OTHER"},
            },
        },
        "files": {"command": ["npx", "-y", "server-filesystem", "."]},
        "docs": {"url": "https://example.org/mcp", "secret_headers": {"Authorization": {"env": "DOCS_AUTHORIZATION"}}},
    }
    told = " ".join(done["told"])
    assert "GitHub is called github here." in told
    assert "set GITHUB_TOKEN" in told
    assert "DOCS_AUTHORIZATION" in told
    assert not trust.is_trusted(repo / ".llmgenie")


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "npx", "args": ["server", "--api-key", "abc"]},
        {"command": "npx", "args": ["server", "--token=abc"]},
        {"command": "npx", "args": ["server", "ghp_" + "a" * 36]},
        {"command": "npx", "args": ["${input:which}"]},
        {"url": "https://example.org/mcp?api_key=abc"},
        {"url": "https://user:pass@example.org/mcp"},
        {"type": "stdio"},
        "npx server",
    ],
)
def test_what_has_no_place_for_its_secret_is_left_out(repo: Path, entry: Any) -> None:
    entries(repo, bad=entry, good={"command": "good"})
    done = data("upstream", "add", "--yes", project=repo)
    assert list(done["upstreams"]) == ["good"]
    assert "bad is left out" in done["told"][0]
    assert "abc" not in settings(repo).read_text(encoding="utf-8")


def test_comments_in_an_editors_file_and_in_empty_settings_are_no_hindrance(repo: Path) -> None:
    place = repo / ".vscode" / "mcp.json"
    place.parent.mkdir()
    place.write_text(
        '{\n  // mine\n  "servers": {"shop": {"type": "stdio", "command": "shop",},},\n}\n', encoding="utf-8"
    )
    settings(repo).parent.mkdir()
    settings(repo).write_text("# nothing yet", encoding="utf-8")
    assert data("upstream", "add", "--yes", project=repo)["written"]
    text = settings(repo).read_text(encoding="utf-8")
    assert text.startswith("# nothing yet\nupstreams:\n")
    assert list(load_settings(repo / ".llmgenie").upstreams) == ["shop"]


def test_one_is_added_by_its_address_or_command_and_removed(repo: Path) -> None:
    data("upstream", "add", "docs", "--url", "https://example.org/mcp", "--yes", project=repo)
    data("upstream", "add", "shop", "--command", "npx -y 'a b'", "--yes", project=repo)
    found = load_settings(repo / ".llmgenie").upstreams
    assert found["docs"].url == "https://example.org/mcp"
    assert found["shop"].command == ("npx", "-y", "a b")
    code, document = answer("upstream", "add", "shop", "--command", "other", "--yes", project=repo)
    assert code == 2
    assert "have shop already" in document["error"]["message"]
    data("upstream", "remove", "docs", "--yes", project=repo)
    data("upstream", "remove", "shop", "--yes", project=repo)
    assert load_settings(repo / ".llmgenie").upstreams == {}
    assert answer("upstream", "remove", "shop", "--yes", project=repo)[0] == 2


def test_nothing_is_written_without_a_yes(repo: Path) -> None:
    entries(repo, shop={"command": "shop"})
    assert answer("upstream", "add", project=repo)[1]["error"]["code"] == "needs_person"
    with terminal("upstream", "add", "--project", str(repo)) as screen:
        screen.wait_for("Write it")
        assert "upstreams:" in screen.shown
        screen.type("n")
        assert screen.ended() == 1
    assert not settings(repo).exists()
    with terminal("upstream", "add", "--project", str(repo)) as screen:
        screen.wait_for("Write it")
        screen.type("y")
        assert screen.ended() == 0
    assert settings(repo).exists()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "is no JSON"),
        ("[]", "has no mcpServers"),
        ('{"mcpServers": []}', "has no mcpServers"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_told(repo: Path, content: str, part: str) -> None:
    (repo / ".mcp.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    code, document = answer("upstream", "add", "--yes", project=repo)
    assert code == 2
    assert part in document["error"]["message"]


def test_settings_that_would_be_wrong_are_not_written(repo: Path) -> None:
    code, document = answer("upstream", "add", "Shop!", "--command", "shop", "--yes", project=repo)
    assert code == 1
    assert document["error"]["code"] == "bad_definition"
    assert not settings(repo).exists()
