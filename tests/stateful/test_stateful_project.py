"""Whatever is asked in whatever order, on whatever disk: a project is what a few dictionaries would be, and nothing is lost.

`LLMGENIE_STATEFUL=examples` runs so many examples with fresh random choices instead of the few that are always the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from project_machine import DiskMachine, ProjectMachine
from project_model import FEATURE
from scene import commit, git, make_repository

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what the disk promises is followed by /proc and fdatasync"
)
LONG = int(os.environ.get("LLMGENIE_STATEFUL", "0"))


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Path]:
    """A repository on the branch that is reviewed; nothing in it changes."""
    repo = make_repository(tmp_path / "demo")
    git(repo, "switch", "-q", "-c", FEATURE)
    commit(repo, "x.txt")
    return repo


@pytest.mark.parametrize(("machine", "examples"), [(ProjectMachine, 10), (DiskMachine, 40)])
def test_a_project_is_what_a_few_dictionaries_would_be(
    repository: Path, machine: type[ProjectMachine], examples: int
) -> None:
    chosen = settings(
        max_examples=LONG or examples,
        stateful_step_count=40,
        deadline=None,
        derandomize=not LONG,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, *([Phase.shrink] if LONG else [])],  # looking for the shortest example takes minutes
    )
    run_state_machine_as_test(type(machine.__name__, (machine,), {"repository": repository}), settings=chosen)
