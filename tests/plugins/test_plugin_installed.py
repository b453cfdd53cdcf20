"""The example plug-in, built and installed into an environment of its own; docs/plugins.md shows what happens there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
import venv
from pathlib import Path
from typing import Any

import pytest
from plugin_scene import LIMIT, SOURCE, install

EXAMPLE = SOURCE / "examples" / "plugin"
PAGE = (SOURCE / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PATIENCE = 60.0
MAIN = "from llmgenie_mcp.faces.cli import main; main()"


class House:
    """An environment of its own, beside the one that runs the tests.

    Attributes:
        folder: of the environment.
        site: where its distributions are.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.folder = folder
        self.python = folder / "bin" / "python"
        paths = {"base": str(folder), "platbase": str(folder)}
        self.site = Path(sysconfig.get_path("purelib", "venv", paths))
        running = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(SOURCE)]
        (self.site / "running.pth").write_text("\n".join(dict.fromkeys(running)) + "\n", encoding="utf-8")
        script = folder / "bin" / "llmgenie"
        script.write_text(f'#!/bin/sh\nexec "{self.python}" -m llmgenie_mcp "$@"\n', encoding="utf-8")
        script.chmod(0o755)

    def run(self, *words: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program with this environment's own first; `more` are environment variables."""
        paths = os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]])
        return subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, "PATH": paths, "TERM": "dumb", "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1", **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )

    def install(self, *what: str, cwd: Path) -> None:
        """As `pip install` does, without a network: what builds it is in the environment that runs the tests."""
        given = ["--python", str(self.python), "--offline", "--no-build-isolation", "--no-deps", "--no-cache"]
        done = self.run(sys.executable, "-m", "uv", "pip", "install", *given, *what, cwd=cwd)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """An environment with the example installed from a copy of its files, as somebody has them who typed the page."""
    place = tmp_path_factory.mktemp("house")
    made = House(place / "venv")
    for path, text in FILES:
        file = place / "llmgenie-hello" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (place / "llmgenie-hello" / "llmgenie_hello" / "__init__.py").touch()
    made.install("./llmgenie-hello", cwd=place)
    return made


def test_the_page_shows_every_file_of_the_example_as_it_is() -> None:
    real = {
        str(path.relative_to(EXAMPLE)): path.read_text(encoding="utf-8")
        for path in EXAMPLE.rglob("*")
        if path.suffix in {".py", ".toml", ".yaml"} and path.name not in {"__init__.py", "ruff.toml"}
    }
    assert dict(FILES) == real


def test_the_page_s_commands_print_what_it_shows(house: House, repo: Path) -> None:
    (block,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    steps = [step.partition("\n") for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    assert [command.split()[1] for command, _, _ in steps] == ["install", "plugins", "run", "policy"]
    for command, _, expected in steps[1:]:
        done = house.run("sh", "-c", command, cwd=repo)
        assert (done.stdout, done.stderr) == (expected, ""), command
    (line,) = (repo / "guestbook.txt").read_text(encoding="utf-8").splitlines()
    assert line.startswith("Hello, Ada!")


def test_the_example_s_own_tests_pass_where_it_is_installed(house: House) -> None:
    tests = house.folder.parent / "llmgenie-hello" / "tests"
    # A place of its own: in the shared one pytest removes, before it ends, what large runs of long ago left there.
    place = f"--basetemp={house.folder.parent / 'tests'}"
    words = (str(house.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", place, str(tests))
    done = house.run(*words, cwd=tests.parent, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_broken_ones_beside_it_are_reported_and_it_works(house: House, repo: Path) -> None:
    taking = "from llmgenie_mcp.plugins import action\n@action('merge')\ndef merge(ctx, params): ...\n"
    broken = {
        "llmgenie-exits": "raise SystemExit(7)",
        "llmgenie-lacks": "import there_is_no_such_module",
        "llmgenie-takes": taking,
    }
    for name, text in broken.items():
        module = name.replace("-", "_")
        install(house.site, name, {f"{module}.py": text}, {"llmgenie_mcp": {"one": module}})
    try:
        done = house.run("llmgenie", "plugins", "--json", cwd=repo)
        assert done.returncode == 1, done.stderr
        items = {one["name"]: one for one in json.loads(done.stdout)["data"]["items"]}
        assert {name: one["status"] for name, one in items.items()} == {
            "llmgenie-hello": "in force",
            **dict.fromkeys(broken, "left out"),
        }
        assert [items[name]["reasons"][0].split(": ", 1)[1][:24] for name in broken] == [
            "SystemExit: 7",
            "ModuleNotFoundError: No ",
            "ValueError: action 'merg",
        ]
        done = house.run("llmgenie", "run", "hello", "-p", "name=Bo", cwd=repo)
        assert done.stdout == "hello: ok\ntext: Hello, Bo!\n"
        checks = json.loads(house.run("llmgenie", "doctor", "--json", cwd=repo).stdout)["data"]["checks"]
        assert len([check for check in checks if (check["name"], check["status"]) == ("plugins", "fail")]) == len(
            broken
        )
    finally:
        for name in broken:
            shutil.rmtree(house.site / f"{name.replace('-', '_')}-1.0.0.dist-info")


def test_one_whose_import_hangs_is_given_up_and_it_works(house: House, repo: Path) -> None:
    text = "import threading\nthreading.Event().wait()\n"
    install(house.site, "llmgenie-hangs", {"llmgenie_hangs.py": text}, {"llmgenie_mcp": {"one": "llmgenie_hangs"}})
    try:
        program = f"from llmgenie_mcp import registry; registry.IMPORT_SECONDS = {LIMIT}; {MAIN}"
        words = (str(house.python), "-c", program, "run", "hello", "-p", "name=Cy", "--json")
        done = house.run(*words, cwd=repo)
        assert json.loads(done.stdout)["data"]["result"] == {"text": "Hello, Cy!"}, done.stderr
    finally:
        shutil.rmtree(house.site / "llmgenie_hangs-1.0.0.dist-info")


def test_an_agent_finds_and_runs_it_over_mcp_whatever_another_prints(house: House, repo: Path) -> None:
    install(
        house.site, "llmgenie-loud", {"llmgenie_loud.py": "print('x' * 9)"}, {"llmgenie_mcp": {"a": "llmgenie_loud"}}
    )
    told = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    requests: tuple[tuple[str, dict[str, Any]], ...] = (
        ("initialize", told),
        ("tools/call", {"name": "get_available_actions", "arguments": {"query": "greet"}}),
        ("tools/call", {"name": "run_action", "arguments": {"action": "hello", "params": {"name": "Di"}}}),
    )
    words = [str(house.python), "-c", "from llmgenie_mcp.faces.cli import mcp_main; mcp_main()", "--project", str(repo)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    answers = []
    with subprocess.Popen(words, text=True, encoding="utf-8", cwd=repo, **pipes) as server:
        ending = threading.Timer(PATIENCE, server.kill)
        ending.start()
        try:
            for number, (method, params) in enumerate(requests):
                asked = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                print(json.dumps(asked), file=server.stdin, flush=True)
                answers.append(next(line for line in map(json.loads, server.stdout or ()) if line.get("id") == number))
        finally:
            ending.cancel()
            server.kill()
            shutil.rmtree(house.site / "llmgenie_loud-1.0.0.dist-info")
    assert "Greet somebody" in json.dumps(answers[1])
    assert "Hello, Di!" in json.dumps(answers[2])


def test_an_installed_policy_refuses_at_the_hook_too_and_no_longer_once_it_is_taken_away(
    house: House, repo: Path
) -> None:
    rules = """
        name: no_curl
        level: always_on
        applies_to: {actions: [network]}
        rules: [{id: none, effect: deny, when: "true", reason: "Nothing is fetched here."}]
    """
    files = {"llmgenie_calm/__init__.py": "", "llmgenie_calm/policies/no_curl.yaml": rules}
    install(house.site, "llmgenie-calm", files, {"llmgenie_mcp.definitions": {"rules": "llmgenie_calm"}})
    words = ("llmgenie", "policy", "explain", "--", "curl", "https://example.org")
    try:
        assert "Nothing is fetched here." in house.run(*words, cwd=repo).stderr
    finally:
        shutil.rmtree(house.site / "llmgenie_calm-1.0.0.dist-info")
    after = house.run(*words, cwd=repo)
    assert "Nothing is fetched here." not in after.stdout + after.stderr


def test_commands_that_need_no_actions_do_not_look_for_plug_ins(house: House, repo: Path) -> None:
    probe = "import sys; from llmgenie_mcp.faces.cli import main; sys.argv = ['llmgenie', *{words!r}]\ntry:\n main()\n"
    probe += "finally:\n print('importlib.metadata' in sys.modules, 'llmgenie_hello.greeting' in sys.modules)"
    for words, seen in ((["task", "list"], "False False"), (["--help"], "False False"), (["state"], "True True")):
        done = house.run(str(house.python), "-c", probe.format(words=words), cwd=repo)
        assert done.stdout.splitlines()[-1] == seen, shlex.join(words)
