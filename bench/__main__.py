"""`python -m bench [PART …]`: measure and print a table with verdicts; `--help` tells the rest.

A full run takes some ten minutes on two cores and writes `bench/results/latest.json` and `bench/results/growth.svg`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from pathlib import Path

from bench import machine, plot, report
from bench.measure import Curve, Effort, Found, Row

PARTS = {
    "decisions": "decisions",
    "shell": "shell",
    "context": "context_size",
    "storage": "storage",
    "calls": "calls",
    "startup": "startup",
    "cli": "cli",
    "hooks": "hooks",
    "load": "load",
    "day": "day",
    "live": "live",
    "growth": "growth",
}
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure the parts named on the command line, all of them by default.

    Returns:
        1 when a budget is exceeded for certain, 2 when a part failed, else 0.
    """
    if sys.argv[1:2] == ["soak"]:  # takes as long as one likes, and so is no part of a full run
        return int(importlib.import_module("bench.soak").main(sys.argv[2:]))
    given = _arguments()
    effort = Effort(quick=given.quick)
    facts = machine.facts()
    out = sys.stderr if given.markdown else sys.stdout
    print(report.head(facts), file=out)
    found: dict[str, Found] = {}
    broken: list[str] = []
    for part in given.parts or PARTS:
        began = time.perf_counter()
        try:
            found[part] = importlib.import_module(f"bench.{PARTS[part]}").measure(effort)
        except Exception:  # noqa: BLE001 - what the other parts took minutes to measure is not to be lost
            traceback.print_exc()
            broken.append(part)
            continue
        print(report.text(part, found[part], time.perf_counter() - began), file=out, flush=True)
    whole = not given.parts and not given.quick
    data = report.data(facts, found, quick=given.quick)
    if path := given.json or (RESULTS / "latest.json" if whole else None):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    curves = [one for rows in found.values() for one in rows if isinstance(one, Curve)]
    if (path := given.svg or (RESULTS / "growth.svg" if whole else None)) and curves:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(plot.svg(curves), encoding="utf-8")
    if given.markdown:
        print(report.markdown(facts, found))
    rows = [one for some in found.values() for one in some if isinstance(one, Row)]
    over = [row.name for row in rows if row.verdict == "over"]
    print(f"\n{len(rows)} rows, over their budget: {', '.join(over) or 'none'}", file=out)
    if broken:
        print(f"not measured, see above: {', '.join(broken)}", file=sys.stderr)
        return 2
    return 1 if over and not given.quick else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs; the numbers mean nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to this file")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the curves to this file")
    parser.add_argument("--markdown", action="store_true", help="print the tables of README and docs/performance.md")
    given = parser.parse_args()
    if unknown := [part for part in given.parts if part not in PARTS]:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    return given


if __name__ == "__main__":
    raise SystemExit(main())
