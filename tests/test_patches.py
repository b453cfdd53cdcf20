"""Secrets in what is added: found where they are, whatever the repository's settings and the content of its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from scene import commit, git

from llmgenie_mcp.commits import in_range, staged
from llmgenie_mcp.errors import ProjectError
from llmgenie_mcp.patches import LIMIT, MOST

TOKEN = "ghp_" + "a1B2c3D4e5" * 4


def put(folder: Path, name: str, text: str | bytes) -> None:
    """Write a file and stage it."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    git(folder, "add", "-f", "--", name)


LINES: list[tuple[str, str | None]] = [
    (f'token = "{TOKEN}"', "github_token"),
    ("-----BEGIN RSA PRIVATE KEY-----", "private_key"),
    ("postgres://ada:hunter22@db/x", "url_password"),
    ("PASSWORD=hunter2hunter2", "assignment"),
    ('"api_key": "k3y-0123456789abcdef",', "assignment"),
    ("password: SecretStr", None),
    ("api_key: Optional[str1] = None", None),
    ("password = get_password_from_vault1()", None),
    ("secret:\n  secretName: web-tls-2024", None),
    ("password=$DB_PASSWORD_1", None),
    ("the password of the day is not written here", None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind"), LINES)
def test_secrets_are_found_in_lines_and_code_is_none(repo: Path, line: str, kind: str | None) -> None:
    put(repo, "x.txt", f"first\n{line}\nlast\n")
    assert staged(repo)[0].params["secrets"] == ([{"path": "x.txt", "line": 2, "kind": kind}] if kind else [])


def test_only_lines_that_are_added_count(repo: Path) -> None:
    commit(repo, "x.txt", f"a\n{TOKEN}\nb\n")
    put(repo, "x.txt", f"a\n{TOKEN}\nb\nc\n")
    assert staged(repo)[0].params["secrets"] == []
    put(repo, "x.txt", "a\nb\n")
    assert staged(repo)[0].params["secrets"] == []
    put(repo, "x.txt", f"new\na\n{TOKEN}\nb\nmore\n{TOKEN} again")
    assert [one["line"] for one in staged(repo)[0].params["secrets"]] == [6]


def test_content_that_looks_like_a_patch_is_content(repo: Path) -> None:
    put(repo, "x.txt", f"-- a/y\n++ b/y.txt\n@@ -1 +1 @@\n+++ b/z.txt\n{TOKEN}\n")
    put(repo, "y.txt", f"no end of line {TOKEN}")
    assert [(one["path"], one["line"]) for one in staged(repo)[0].params["secrets"]] == [("x.txt", 5), ("y.txt", 1)]


SETTINGS = """
[diff]
    noprefix = true
    renames = copies
    external = false
[diff "own"]
    command = true
    textconv = true
[core]
    quotePath = false
[color]
    ui = always
"""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".gitattributes", "* -diff\n"),
        (".gitattributes", "* binary\n"),
        (".gitattributes", "*.txt diff=own\n"),
        (".git/config", SETTINGS),
    ],
)
def test_no_setting_hides_a_secret(repo: Path, file: str, text: str) -> None:
    with (repo / file).open("a", encoding="utf-8") as stream:
        stream.write(text)
    put(repo, "é.txt", f"x\n{TOKEN}\n")
    expected = {"path": "é.txt", "line": 2, "kind": "github_token"}
    assert staged(repo)[0].params["secrets"] == [expected]
    git(repo, "commit", "-q", "-m", "x")
    (found,) = in_range(repo, "HEAD~1..HEAD")
    assert found.secrets == (expected,)


def test_in_a_binary_file_only_the_form_of_a_token_counts(repo: Path) -> None:
    put(repo, "x.bin", b"\0\x01\npassword=hunter2hunter2\n" + TOKEN.encode() + b"\n")
    put(repo, "y.txt", "password=hunter2hunter2\n")
    found = [(one["path"], one["kind"]) for one in staged(repo)[0].params["secrets"]]
    assert found == [("x.bin", "github_token"), ("y.txt", "assignment")]


def test_what_is_too_much_is_searched_as_far_as_it_goes_and_said(repo: Path) -> None:
    put(repo, "a.txt", f"{TOKEN}\n")
    put(repo, "b.txt", "x" * 79 + "\n")
    put(repo, "c.txt", ("y" * 99 + "\n") * (LIMIT // 90))
    put(repo, "d.txt", f"{TOKEN}\n")
    git(repo, "rm", "-q", "README.md")
    params = staged(repo)[0].params
    assert [one["path"] for one in params["secrets"]] == ["a.txt"]
    assert params["unread"] == ["c.txt", "d.txt"]


def test_a_patch_that_git_cannot_make_is_no_clean_one(repo: Path) -> None:
    put(repo, "a.txt", f"{TOKEN}\n")
    blob = git(repo, "rev-parse", ":a.txt")
    for path in (repo / ".git" / "objects" / blob[:2] / blob[2:], repo / "a.txt"):
        path.unlink()
    with pytest.raises(ProjectError):
        staged(repo)


def test_one_very_long_line_is_searched_and_keeps_its_number(repo: Path) -> None:
    put(repo, "x.js", "a\n" + "z" * 500_000 + f" {TOKEN} " + "z" * 500_000 + f"\nlast {TOKEN}\n")
    assert [one["line"] for one in staged(repo)[0].params["secrets"]] == [2, 3]


def test_very_many_secrets_are_not_all_listed(repo: Path) -> None:
    put(repo, "x.txt", f"{TOKEN}\n" * (MOST + 10))
    put(repo, "y.txt", "fine\n")
    params = staged(repo)[0].params
    assert len(params["secrets"]) == MOST
    assert params["unread"] == ["x.txt", "y.txt"]
