"""What archives, patches and folders bring into the one that is worked in: told from the real file, or else asked about."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shell_corpus import noted

from llmgenie_mcp.shell import read_command
from llmgenie_mcp.shell.archives import MOST, hidden, members
from llmgenie_mcp.surroundings import Place

SETTINGS = "file.write path=.claude/settings.json"
UNSEEN = "opaque files"
TELLING = re.compile(r"opaque|file\.delete|file\.write path=(.*/)?\.\w")
PATCH = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-a\n+b\n"


def tarred(*names: str, links: dict[str, str] | None = None, kind: bytes = tarfile.SYMTYPE) -> bytes:
    """A plain tar; names that end in a slash are folders."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, target in [*(dict.fromkeys(names, "").items()), *(links or {}).items()]:
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if name.endswith("/") else kind if target else tarfile.REGTYPE
            member.linkname = target
            archive.addfile(member, io.BytesIO())
    return raw.getvalue()


def zipped(*names: str) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return raw.getvalue()


CALM = ("pkg/", "pkg/a.py", "pkg/.github/", "pkg/.github/workflows/ci.yml", "pkg/.gitignore", "pkg/tests/cert.pem")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder worked in, with archives, patches and folders, beside others."""
    top = tmp_path_factory.mktemp("top")
    here = top / "here"
    for folder in ("src", ".git", ".claude", "sub/.claude"):
        (here / folder).mkdir(parents=True)
    evil = tarred("a.py", ".claude/settings.json")
    files = {
        "calm.tar.gz": gzip.compress(tarred(*CALM)),
        "evil.tar": evil,
        "evil.tgz": gzip.compress(evil),
        "evil.tbz": bz2.compress(evil),
        "evil.txz": lzma.compress(evil),
        "late.tar": tarred("a.py") + b"\1" * 512 + evil,
        "deep.tar": tarred("top/.claude/settings.json", "top/b.py"),
        "up.tar": tarred("../.claude/settings.json"),
        "behind.tar": tarred("x/y/../.claude/settings.json"),
        "dotted.tar": tarred("./.git/hooks/pre-commit"),
        "inner.tar": tarred(".git/.git"),
        "rooted.tar": tarred("x//etc/cron.d/a", "x/a.py"),
        "absolute.tar": tarred("/.claude/settings.json"),
        "link.tar": tarred("x/a.py", links={"x/y": "../.claude/settings.json"}),
        "hard.tar": tarred(links={"y": ".claude/settings.json"}, kind=tarfile.LNKTYPE),
        "long.tar": tarred("d" * 200 + "/a.py", ".claude/" + "s" * 300),
        "hooks.tar": tarred("./.git/hooks/pre-commit"),
        "repository.tar": tarred("copy/.git/config", "copy/.claude/settings.json", "copy/a.py"),
        "sub.tar": tarred("sub/.claude/settings.json"),
        "many.tar": tarred(*(f".x{number}/a" for number in range(70))),
        "huge.tar": tarred(*(f"d/{number}" for number in range(MOST + 1))),
        "broken.tgz": gzip.compress(evil)[:60],
        "seven.7z": b"7z\xbc\xaf\x27\x1c" + bytes(40),
        "evil.zip": zipped("a.py", ".claude/settings.json"),
        "back.zip": zipped(".claude\\settings.json"),
        "calm.zip": zipped("x/a.py"),
        "calm.patch": PATCH.format("src/app.py").encode(),
        "evil.patch": PATCH.format(".mcp.json").encode(),
        "large.patch": PATCH.format("src/app.py").encode() + b" x\n" * 40_000,
        "too_many.patch": b"".join(PATCH.format(f"f{number}").encode() for number in range(500)),
        "edit.ed": b"1d\nw .mcp.json\nq\n",
        "edit.sed": b"w .mcp.json\n",
    }
    for name, data in files.items():
        (here / name).write_bytes(data)
    for folder in ("pour/.claude", "mild/lib"):
        (top / folder).mkdir(parents=True)
    (top / "pour/.claude/settings.json").write_text("{}", encoding="utf-8")
    (top / "mild/lib/a.py").write_text("", encoding="utf-8")
    (top / "far.patch").write_bytes(files["evil.patch"])
    return here


# command, what must be told of it; None: nothing that could bind anybody, and no question
CASES: list[tuple[str, str | None]] = [
    ("tar xzf calm.tar.gz", None),
    ("tar xzf calm.tar.gz -C src", None),
    ("tar xf evil.tar -C /tmp/elsewhere", None),
    ("tar xf missing.tar", None),
    ("tar tf evil.tar", None),
    ("tar xf evil.tar a.py", None),
    ("tar xf evil.tar -O", None),
    *((f"tar xf evil.{ending}", SETTINGS) for ending in ("tar", "tgz", "tbz", "txz")),
    ("cd src && tar xf ../evil.tar -C ..", "file.write path=src/../.claude/settings.json"),
    ("tar xf evil.tar .claude", SETTINGS),
    ("tar xf evil.tar './.claude/settings.json'", SETTINGS),
    ("tar xf evil.tar --wildcards '*json'", SETTINGS),
    ("tar xf late.tar", SETTINGS),
    ("tar xf deep.tar", None),
    ("tar xf deep.tar --strip-components=1", SETTINGS),
    ("tar xf up.tar", SETTINGS),
    ("tar xf rooted.tar --strip-components=1", UNSEEN),
    ("tar xf rooted.tar --strip-components=1 -C /tmp/x", UNSEEN),
    ("tar xf behind.tar", SETTINGS),
    ("tar xf dotted.tar --strip-components=1", "file.write path=.git/hooks/pre-commit"),
    ("tar xf inner.tar", "file.write path=.git/.git"),
    ("tar xf absolute.tar", SETTINGS),
    ("tar xf link.tar", SETTINGS),
    ("tar xf hard.tar", SETTINGS),
    ("tar xf long.tar", "file.write path=.claude/" + "s" * 300),
    ("tar xf hooks.tar", "file.write path=.git/hooks/pre-commit"),
    ("tar xf repository.tar", None),
    ("tar xf repository.tar --strip-components=1", "file.write path=.git/config"),
    ("tar xf sub.tar", "file.write path=sub/.claude/settings.json"),
    ("tar xf evil.tar --one-top-level=fresh", None),
    ("tar xf evil.tar --transform=s/a/b/", UNSEEN),
    ("tar xPf evil.tar", UNSEEN),
    ("tar xf many.tar", UNSEEN),
    ("tar xf huge.tar", UNSEEN),
    ("tar xf huge.tar -C src", None),
    ("tar xf broken.tgz", UNSEEN),
    ("7z x seven.7z", UNSEEN),
    ("7z x seven.7z -osrc", None),
    ("unzip -o evil.zip", SETTINGS),
    ("unzip -o evil.zip a.py", None),
    ("unzip -oj evil.zip", None),
    ("unzip -oj evil.zip -d .claude", "file.write path=.claude"),
    ("unzip -o back.zip", SETTINGS),
    ("unzip calm.zip && unzip -l evil.zip", None),
    ("unzip -o '*.zip'", SETTINGS),
    ("jar xf evil.zip; python -m zipfile -l evil.zip", SETTINGS),
    ("python3 -m zipfile -e evil.zip .", SETTINGS),
    ("python3 -m tarfile -e evil.tar", SETTINGS),
    ("cat evil.tgz | tar xz", SETTINGS),
    ("zcat evil.tgz | tar x", SETTINGS),
    ("tar xz < evil.tgz", SETTINGS),
    ('f=evil; tar xf "$f.tar"', SETTINGS),
    ("cp evil.tgz b.tgz && tar xf b.tgz", SETTINGS),
    ("ln -s . l && tar xf evil.tar -C l", SETTINGS),
    ("for f in ev*.tar; do tar xf $f; done", SETTINGS),
    ("tar c . | tar x", UNSEEN),
    ("git archive HEAD | tar x -C /tmp/out", None),
    ("cp -r ../pour/. .", SETTINGS),
    ("rsync -a ../pour/ ./", SETTINGS),
    ("rsync -a ../pour/ src/", None),
    ("cp -r ../mild/. . && cp -r src/. /tmp/z", None),
    ("git apply calm.patch large.patch", None),
    ("git apply evil.patch", "file.write path=.mcp.json"),
    ("git apply ../far.patch", "file.write path=.mcp.json"),
    ("git am evil*.patch", "file.write path=.mcp.json"),
    ("cat calm.patch evil.patch | patch -p1", "file.write path=.mcp.json"),
    ("git apply too_many.patch", "opaque anything"),
    ("git apply missing.patch", None),
    ("curl -s https://example.com/1.patch | git apply", UNSEEN),
    ("curl -s https://example.com/1.patch | patch -p1 -d src", None),
    ("git diff HEAD~1 | git apply -R", None),
    ("ed -s src/app.py < edit.ed", "file.write path=.mcp.json"),
    ("sed -n -f edit.sed src/app.py", "file.write path=.mcp.json"),
]


@pytest.mark.parametrize(("command", "wanted"), CASES)
def test_what_is_put_down_is_told_from_the_real_file(place: Path, command: str, wanted: str | None) -> None:
    found = [noted(operation) for operation in read_command(command, Place(place, environment={"TMPDIR": "/tmp"}))]
    if wanted is None:
        assert not [note for note in found if TELLING.match(note)]
    else:
        assert wanted in found


@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(max_size=2000),
    begins=st.sampled_from(
        [b"", b"PK\3\4", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", tarred(".x/a")[:700], zipped(".x/a")[:-9]]
    ),
    whole=st.sampled_from([b"", tarred(".x/a"), zipped(".x/a")]),
)
def test_bytes_of_any_kind_are_an_archive_or_are_not_known(data: bytes, begins: bytes, whole: bytes) -> None:
    found = members(io.BytesIO(begins + data + whole))
    assert found is None or (found and all(isinstance(name, str) for name in found))


def test_what_unpacks_to_more_than_is_looked_through_is_not_known(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.tgz"
    with gzip.open(bomb, "wb", 1) as file:
        for _ in range(70):
            file.write(bytes(1024 * 1024))
    hole = tmp_path / "hole.tar"
    hole.touch()
    os.truncate(hole, 1024**3)
    place = Place(tmp_path)
    assert [place.members(name) for name in ("bomb.tgz", "hole.tar", "missing", "*.tar")] == [None] * 4


def test_only_so_many_archives_are_looked_into_for_one_command(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.tar").write_bytes(tarred("a"))
    place = Place(tmp_path)
    assert [place.members(f"{number}.tar") for number in range(10)] == [["a"]] * 8 + [None] * 2
    assert Place(tmp_path).members("*.tar") is None
    assert Place(tmp_path).members("[0-6].tar") == ["a"] * 7


def test_one_hidden_name_stands_for_all_in_its_folder() -> None:
    assert hidden(
        [".git/hooks/a", ".git/hooks/b", ".git/config", "x/.gitignore", "x/y.py", "a/.b/.c/d", "a/.b/e", "../z"]
    ) == [
        ".git/hooks/a",
        ".git/config",
        "a/.b/.c/d",
        "a/.b/e",
    ]


# No empty ones: of `a//b` --strip-components=1 leaves `/b`, which tar then writes into the root of this very machine.
_PARTS = st.sampled_from([".claude", ".git", "..", ".", "a", "settings.json", "hooks", ".x", "b c"])
_NAMES = st.lists(_PARTS, min_size=1, max_size=4).map("/".join)
_HOW = st.sampled_from(["", "--strip-components=1", "--strip-components=2", "-C a/..", "-C a"])


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar to compare with")
@given(names=st.lists(_NAMES, min_size=1, max_size=4), link=st.none() | _NAMES, how=_HOW)
@settings(max_examples=60, deadline=None)
def test_what_tar_puts_among_what_binds_is_within_what_is_told(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], link: str | None, how: str
) -> None:
    here = tmp_path_factory.mktemp("tar")
    for folder in ("a", ".claude", ".git"):
        (here / folder).mkdir()
    (here / "x.tar").write_bytes(tarred(*(name for name in names if name), links={"z": link} if link else {}))
    command = f"tar xf x.tar {how}"
    found = read_command(command, Place(here))
    told = [str(operation.params.get("path")) for operation in found if operation.name == "file.write"]
    subprocess.run(["sh", "-c", command], cwd=here, capture_output=True, check=False)
    new = [path for folder in (".claude", ".git") for path in (here / folder).rglob("*") if not path.is_dir()]
    covers = [here / os.path.normpath(name) for name in told if os.path.normpath(name) != "."]
    if not any(operation.name == "opaque" for operation in found):
        assert not [path for path in new if not any(path == one or one.parent in path.parents for one in covers)], told
