"""Imports that are killed. Run as a script: `importer.py FILE FOLDER CALLS`; forks one import for every call of the disk.

The import of number n is killed when it makes its n-th call, a write after half of its data, in a project of its own below
FOLDER. Prints how many imports were killed before one came to its end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from victim import die_before

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.importers import import_path


def bring(file: Path, project: Path) -> None:
    with Engine.open(project) as engine:
        import_path(engine, file, actor=Actor("human", "ada"))


def main() -> None:
    file, folder, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    (folder / "0").mkdir(parents=True)
    bring(file, folder / "0")  # loads everything that an import needs, once for all
    for call in range(1, most + 1):
        project = folder / str(call)
        project.mkdir()
        if (pid := os.fork()) == 0:
            try:
                die_before(call, 0.5)
                bring(file, project)
            except BaseException as error:  # noqa: BLE001 - told by the exit code
                os.write(2, repr(error).encode())
                os._exit(1)
            os._exit(0)
        if (code := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) == 0:
            break
        assert code == -9, code
    print(call - 1)


if __name__ == "__main__":
    main()
