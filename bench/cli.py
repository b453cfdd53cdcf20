"""The command line as whole processes beside `python -c pass`, with compiled modules on both sides: `python -m bench cli`."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from bench.filling import place, repository
from bench.measure import Effort, Found, Sampler, Seconds, against, interleaved
from bench.servers import environment

BUDGET = 10.0
PASS = "python -c pass"
COMMANDS = {
    "llmgenie --help": ["--help"],
    "llmgenie task list": ["task", "list"],
    "llmgenie state": ["state"],
    "llmgenie actions": ["actions"],
    "llmgenie policy show": ["policy", "show", "security"],
    "llmgenie hook status": ["hook", "status"],
    "llmgenie enforce": ["enforce", "git.push", "-p", "branch=feature/x"],
    "llmgenie policy explain": ["policy", "explain", "git status"],
}
HEAVY = {
    "llmgenie upstream list": ["upstream", "list"],
    "llmgenie plugins": ["plugins"],
    "llmgenie enforce, with parameters of an action": ["enforce", "create_task", "-p", "title=x"],
    "llmgenie actions --query": ["actions", "--query", "task"],
    "llmgenie doctor": ["doctor"],
}
"""What needs the models of definitions and parameters: to import pydantic alone takes some nine times `python -c pass`."""


def measure(effort: Effort) -> Found:
    """Runs of all sides alternate."""
    with place() as folder:
        project = repository(folder / "project")
        sides: dict[str, Sampler] = {PASS: partial(_run, ["-c", "pass"], project)}
        for name, words in {**COMMANDS, **HEAVY}.items():
            sides[name] = partial(_run, ["-m", "llmgenie_mcp", *words], project)
        taken = interleaved(sides, effort.of(25, 1), warm=1)
    quick = [against(name, taken[name], PASS, taken[PASS], "ms", budget=BUDGET, short=True) for name in COMMANDS]
    return [*quick, *(against(name, taken[name], PASS, taken[PASS], "ms") for name in HEAVY)]


def _run(words: list[str], project: Path) -> Seconds:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *words],
        env={**environment(), "LLMGENIE_PROJECT": str(project)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start
