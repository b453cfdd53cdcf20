"""The Dockerfile without Docker: its instructions are parsed, and the commands that it gives to the image run here."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx2
from scene import make_repository

from llmgenie_mcp import project, tokens

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30.0
PORT = "8787"


def instructions() -> list[tuple[str, str]]:
    """Each instruction and what it says, lines joined and comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def last_stage() -> list[tuple[str, str]]:
    """What the image itself is made of."""
    found = instructions()
    begins = [index for index, (word, _) in enumerate(found) if word == "FROM"]
    return found[begins[-1] :]


def said(word: str) -> str:
    """What the last stage says with an instruction that it has once."""
    (found,) = [rest for name, rest in last_stage() if name == word]
    return found


def variables() -> dict[str, str]:
    """The variables of the image."""
    return dict(pair.split("=", 1) for pair in said("ENV").split())


def test_the_image_is_not_roots_and_keeps_what_it_writes_in_volumes() -> None:
    user, volumes = said("USER"), json.loads(said("VOLUME"))
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", user), "a number: Kubernetes cannot tell that a name is not root"
    values = variables()
    assert {values["LLMGENIE_PROJECT"], values["HOME"]} == set(volumes)
    assert values["LLMGENIE_STATE_DIR"].startswith(f"{values['HOME']}/")
    assert said("STOPSIGNAL") == "SIGTERM"
    assert f"chown llmgenie:llmgenie {' '.join(volumes)}" in said("RUN")
    assert f"--uid {user.partition(':')[0]} " in said("RUN")


def test_no_secret_and_no_file_but_what_is_built_from_gets_into_the_image() -> None:
    ignored, *kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    sources = {source.removeprefix("./") for sources in copied for source in sources}
    assert ignored == "*"
    assert {rule[1:] for rule in kept if rule.startswith("!")} == sources
    assert all((ROOT / source).exists() for source in sources)
    assert not [name for name in variables() if fnmatch.fnmatch(name, "*TOKEN*") or fnmatch.fnmatch(name, "*SECRET*")]


def test_the_image_installs_every_extra_but_those_that_need_a_desktop() -> None:
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (installed,) = [found for _, rest in instructions() for found in re.findall(r"'\.\[([a-z,]+)\]'", rest)]
    assert set(installed.split(",")) == set(offered) - {"all", "dev", "keyring"}


def test_its_command_serves_the_mounted_project_its_health_check_passes_and_sigterm_ends_it(tmp_path: Path) -> None:
    repo = make_repository(tmp_path / "mounted")
    _, secret = tokens.create(project.resolve(repo).store, "container", "agent")
    line = [*json.loads(said("ENTRYPOINT")), *json.loads(said("CMD"))]
    assert line[0] == "llmgenie"
    started = [sys.executable, "-m", "llmgenie_mcp", *("0" if word == PORT else word for word in line[1:]), "--json"]
    values = {name: value for name, value in variables().items() if name.startswith("PYTHON")}
    environment = {**os.environ, **values, "LLMGENIE_PROJECT": str(repo)}
    with subprocess.Popen(started, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())["data"]
            port = told["url"].rpartition(":")[2]
            assert told["project"] == str(repo)
            _, _, check = said("HEALTHCHECK").partition("CMD ")
            program, *words = [word.replace(f":{PORT}/", f":{port}/") for word in json.loads(check)]
            assert program == "python"
            assert subprocess.run([sys.executable, *words], timeout=PATIENCE).returncode == 0
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False) as client:
                assert client.get("/workflow/state").status_code == 401
                answer = client.get("/workflow/state", headers={"Authorization": f"Bearer {secret}"})
            assert answer.json()["project"]["root"] == str(repo)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            assert subprocess.run([sys.executable, *words], stderr=subprocess.DEVNULL, timeout=PATIENCE).returncode != 0
        finally:
            if process.poll() is None:
                process.kill()
