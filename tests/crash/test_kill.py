"""kill -9 at random moments."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from examine import examine
from victims import Victims

ROUNDS = 300
OPTIONS = [
    {},
    {"segment_bytes": 3000, "checkpoint_bytes": 2000},
    {"segment_bytes": 20_000, "checkpoint_bytes": 500},
    {"durability": "relaxed", "segment_bytes": 9000},  # a kill is no power cut: nothing may be lost here either
]


def test_no_acknowledged_commit_is_lost_and_none_is_there_by_half_after_kill_9(
    tmp_path: Path, victims: Victims, record_property: pytest.RecordProperty
) -> None:
    seed = random.randrange(2**32)
    choose = random.Random(seed)
    commits = between = torn = 0
    folder, last = tmp_path / "0", 0
    for number in range(ROUNDS):
        if number % 10 == 0:
            shutil.rmtree(folder, ignore_errors=True)
            folder, last = tmp_path / str(number), 0
        started = last
        count = choose.choice([1, 1, 3])
        options = choose.choice(OPTIONS)
        pids = [
            victims.born("commit for ever", folder, options={"lock_timeout": 60, **options}, seed=choose.random())
            for _ in range(count)
        ]
        for pid in pids:
            victims.hear(choose.random() * 0.03)
            victims.kill(pid)
        assert [victims.reap(pid) for pid in pids] == [-9] * count, seed
        acked = [n for pid in pids for n in victims.acked(pid)]
        assert len(acked) == len(set(acked)), seed
        last = examine(folder, max(acked, default=started), may_be=count)
        commits += last - started
        between += last > max(acked, default=started)
        torn += (folder / "set-aside").exists()
    print(f"{ROUNDS} rounds of kill -9 (seed {seed}): {commits} commits, {between} times killed before the answer")
    record_property("rounds", ROUNDS)
    assert commits > ROUNDS
    assert between
