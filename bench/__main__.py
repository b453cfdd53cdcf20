"""`python -m bench [PART …] [--json FILE]`: measure and print; `--help` names the parts."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
from pathlib import Path
from typing import Any

PARTS = {
    "decisions": "decisions",
    "shell": "shell",
    "engine": "engine",
    "storage": "storage",
    "startup": "startup",
    "hooks": "hooks",
    "mcp": "mcp_latency",
    "context": "context_size",
}


def main() -> int:
    """Measure the parts named on the command line, all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS), help="what to measure")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    measured: dict[str, list[dict[str, Any]]] = {}
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}; medians")
    for part in arguments.parts:
        measured[part] = importlib.import_module(f"bench.{PARTS[part]}").rows()
        print(f"\n{part}")
        for row in measured[part]:
            beside = f"  {row['ratio']:>8} x {row['baseline']}" if row.get("ratio") is not None else ""
            print(f"  {row['name']:<58} {row['value']:>10} {row.get('unit', ''):<4}{beside}")
        sys.stdout.flush()
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
