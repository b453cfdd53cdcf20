"""What is done to files, where the reader knows the folder that a command runs in and the files there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from shell_corpus import noted

from llmgenie_mcp.expressions.patterns import compile_glob
from llmgenie_mcp.shell import Nowhere, read_command
from llmgenie_mcp.shell.moving import disposable
from llmgenie_mcp.shell.patchtext import Targets, read, read_envelope

PATCH = "diff --git a/.mcp.json b/.mcp.json\n--- a/.mcp.json\n+++ b/.mcp.json\n@@ -1 +1 @@\n-{}\n+{'a': 1}\n"


class Place(Nowhere):
    """A folder with a patch in it."""

    def script(self, path: str) -> str | None:
        return {"fix.patch": PATCH, "sub/fix.patch": PATCH}.get(path)

    def variable(self, name: str) -> str | None:
        return {"HOME": "/home/ada", "PWD": "/srv/app"}.get(name)


CASES = [
    ('mv "$PWD" /tmp/p', "file.delete path=/srv/app"),
    ("mv /srv /tmp/p", "file.delete path=/srv"),
    ("cd .. && mv app old", "file.delete path=../app"),
    ("mv /srv/app/src ~/src", "file.delete path=/srv/app/src"),
    ("mv src /srv/other/src", "file.delete path=src"),
    ("mv src /srv/app/build/src", "file.delete path=src"),
    ("mv src /srv/app/lib", None),
    ("mv /srv/app/src /srv/app/lib", None),
    ("cd sub && mv a ../b", None),
    ("mv ../a ../b", None),
    ("mv /tmp/a /tmp/b", None),
    ("git mv /srv/app/src build/src", "file.delete path=/srv/app/src"),
    ("git mv src lib", None),
    ("git apply fix.patch", "file.write path=.mcp.json"),
    ("git -C sub apply fix.patch", "file.write path=sub/.mcp.json"),
    ("cd sub && git apply < fix.patch", "file.write path=sub/.mcp.json"),
    ("patch -p1 -i fix.patch", "file.write path=.mcp.json"),
    ("patch -p1 < fix.patch", "file.write path=.mcp.json"),
    ('docker run -v "$PWD":/w alpine cat /w/.env', "file.read path=/srv/app/.env"),
    ('docker run -v "$PWD":/w alpine rm -rf /w/src', "file.delete path=/srv/app/src"),
    ('docker run -v "$PWD":/w -w /w/sub alpine rm -rf src', "file.delete path=/srv/app/sub/src"),
    ('docker run -v "$PWD":/w alpine rm -rf /src', None),
]


@pytest.mark.parametrize(("command", "wanted"), CASES)
def test_what_happens_to_files_is_told_with_what_is_known_of_the_place(command: str, wanted: str | None) -> None:
    found = [noted(operation) for operation in read_command(command, Place())]
    if wanted is None:
        assert not [note for note in found if note.startswith(("file.delete", "opaque"))]
    else:
        assert wanted in found


# patch, parts left out of names, whether it is reversed, what it writes, what it deletes
PATCHES: list[tuple[str, int | None, bool, list[str], list[str]]] = [
    ("--- a/x\n+++ b/x\n", 1, False, ["x"], []),
    ("--- a/x\n+++ b/x\n", 0, False, ["a/x", "b/x"], []),
    ("--- a/d/x\n+++ b/d/x\n", None, False, ["x"], []),
    ("--- /dev/null\n+++ b/x\n", 1, False, ["x"], []),
    ("--- /dev/null\n+++ b/x\n", 1, True, [], ["x"]),
    ("--- a/x\n+++ /dev/null\n", 1, False, [], ["x"]),
    ("--- a/x\n+++ /dev/null\n", 1, True, ["x"], []),
    ("  --- a/x\n  +++ b/x\n", 1, False, ["x"], []),
    ("--- a/x\x0c\n+++ b/x\n", 1, False, ["x"], []),
    ("--- a/x\nindex 1..2\n+++ b/x\n", 1, False, ["x"], []),
    ("--- a/x 2024-01-01 10:00:00\n+++ b/x\t2024-01-02 10:00:00\n", 1, False, ["x"], []),
    ("diff --git a/x b/x\nindex 1..2\nGIT binary patch\n", 1, False, ["x"], []),
    ("diff --git a/x y b/x y\nnew mode 100644\n", 1, False, ["x y"], []),
    ("diff --git a/x b/x\ndeleted file mode 100644\nindex e69de29..0000000\n", 1, False, [], ["x"]),
    ("@@ -1 +1 @@\n-a\n+b\n", 1, False, [], []),
    ("", 1, False, [], []),
]


@pytest.mark.parametrize(("text", "strip", "reverse", "written", "deleted"), PATCHES)
def test_the_files_of_a_patch_are_those_that_patch_and_git_would_touch(
    text: str, strip: int | None, reverse: bool, written: list[str], deleted: list[str]
) -> None:
    assert read(text, strip, reverse) == Targets(written, deleted)


def test_the_files_of_an_envelope_are_those_of_its_headers() -> None:
    text = "*** Begin Patch\n*** Add File: a\n+*** Delete File: b\n*** Delete File: c d\n*** End Patch"
    assert read_envelope(text) == Targets(["a"], ["c d"])


@pytest.mark.parametrize(
    "command",
    [
        "find " + "a " * 20000 + "-delete",
        "find . " + "-exec rm {} + " * 3000,
        "find " + " ".join(f"d{i}" for i in range(100)) + " " + " -o ".join(f"-name n{i} -delete" for i in range(100)),
        "docker run " + " ".join(f"-v ./a:/b{i}" for i in range(2000)) + " i rm /b1/x",
    ],
)
def test_more_than_can_be_gone_through_could_be_anything(command: str) -> None:
    assert [noted(operation) for operation in read_command(command)] == ["opaque anything"]


TREE = (
    "a.py", "b.pyc", ".env", "src/a.py", "src/b.pyc", "src/x y.py", "src/deep/.env", "src/deep/c.log", "build/out.py",
    "node_modules/m/a.py", ".hidden/b.pyc", "we[i]rd/c.log",
)  # fmt: skip
_ATOMS = st.sampled_from([
    "-name '*.py'", "-name '*.pyc'", "-name '.e*'", "-name '[ab].*'", "-name '[^a].pyc'", "-name 'x*y.py'", "-iname '*.PY'",
    "-path './src/*'", "-path '*/.env'", "-path '*/deep*'", "-path '*e?p/c*'", "-wholename './src/?.pyc'", "-name b.pyc",
    r"-regex '.*\.py'", r"-regex '.*c\(\.py\)?'", r"-regex '.*\(a\|b\)\.pyc'", "-type f", "-type d", "-true", "-false",
    "-newer a.py", "-prune", "-print", "-exec echo {} +", "-maxdepth 2", "-name 'we\\[i*'", "-path ./build -prune",
])  # fmt: skip
_JOINED = st.sampled_from([" ", " -a ", " -o ", " -or ", " , ", " ! ", " -not ", " -o ! "])


def _combined(expressions: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(expressions, _JOINED, expressions).map("".join)
    return st.one_of(pair, expressions.map(r"\( {} \)".format), expressions.map("! {}".format))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("", encoding="utf-8")
    return folder


@pytest.mark.skipif(shutil.which("find") is None, reason="there is no find to compare with")
@given(
    expression=st.recursive(_ATOMS, _combined, max_leaves=6),
    root=st.sampled_from(["", ".", "src", "./src", "src build"]),
)
@settings(max_examples=250, deadline=None)
def test_what_find_would_delete_is_within_what_is_reported(tree: Path, expression: str, root: str) -> None:
    command = f"find {root} {expression} -exec rm -r {{}} ';'"
    done = subprocess.run(
        ["sh", "-c", command.replace("-exec rm -r", "-exec echo GONE")], cwd=tree, capture_output=True, text=True
    )
    gone = [line[5:] for line in done.stdout.splitlines() if line.startswith("GONE ")]
    found = [operation for operation in read_command(command) if operation.name in ("file.delete", "opaque")]
    covers = [compile_glob(str(operation.params.get("path", "**")).removeprefix("./")) for operation in found]
    names = [PurePosixPath(name).as_posix() for name in gone]
    assert not [name for name in names if not any(cover(name) for cover in covers)], [o.params for o in found]


def test_a_move_to_wherever_the_packaged_policy_lets_delete_is_told_as_a_deletion() -> None:
    policy = YAML(typ="safe", pure=True).load(Path(__file__).parent.parent / "workflows" / "policies" / "security.yaml")
    for pattern in policy["params"]["disposable"]:
        place = pattern.removeprefix("**/").replace("/**", "/kept.py").replace("*", "x")
        assert disposable(place), pattern
        assert disposable(f"deeper/{place}"), pattern
        assert "file.delete path=src/kept.py" in _noted(f"git mv src/kept.py {place}"), place
    for place in ("src/kept.py", "log/kept.py", "builder/kept.py", ".git/config", "catalog"):
        assert not disposable(place)


def _noted(command: str) -> list[str]:
    return [noted(operation) for operation in read_command(command)]
