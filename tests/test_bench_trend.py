"""Whether something grows is told from noise, from growth that does not matter, and from what falls."""

from __future__ import annotations

import random

import pytest

from bench.trend import Trend

SECONDS = [10.0 * number for number in range(120)]


@pytest.mark.parametrize(
    ("per_hour", "noise", "verdict"),
    [
        (0.0, 2.0, "steady"),
        (1.0, 0.5, "steady"),  # it grows for certain, and too little to matter
        (30.0, 2.0, "grows"),
        (-30.0, 2.0, "falls"),
        (6.0, 40.0, "steady"),  # it may grow, and nobody can tell
    ],
)
def test_a_verdict_is_about_what_is_certain_and_matters(per_hour: float, noise: float, verdict: str) -> None:
    chance = random.Random(1)
    values = [100 + per_hour * second / 3600 + chance.gauss(0, noise) for second in SECONDS]
    trend = Trend.of(SECONDS, values)
    assert trend.verdict(share=0.05, least=2.0) == verdict, trend
    assert trend.hours == pytest.approx(1190 / 3600)


def test_the_slope_of_a_straight_line_is_its_own_and_certain() -> None:
    trend = Trend.of(SECONDS, [5 + second / 1800 for second in SECONDS])
    assert (trend.slope, trend.error) == (pytest.approx(2.0), pytest.approx(0, abs=1e-9))
