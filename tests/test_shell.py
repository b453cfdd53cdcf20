"""What the reader of shell commands promises beside its corpus: bounds, what it asks about the place, and its answers' form."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from llmgenie_mcp.operations import Operation
from llmgenie_mcp.shell import LIMIT, Nowhere, read_command

HALF, THIRD = LIMIT // 2, LIMIT // 3

# a text that is meant to take long, to nest deeply or to be no text; all of them at the limit
HOSTILE: dict[str, str] = {
    "many commands": "a;" * HALF,
    "many pipes": "a|" * HALF,
    "many words": "a " * HALF,
    "subshells": "(" * LIMIT,
    "substitutions": "$(" * HALF,
    "backticks": "`" * LIMIT,
    "quotes": '"' * LIMIT,
    "lines in quotes": "'\n" * HALF,
    "arithmetic": "$((" * THIRD,
    "parameters": "${" * HALF,
    "here-documents": "<<a " * (LIMIT // 4),
    "ifs": "if " * THIRD,
    "cases": "case x in " * (LIMIT // 10),
    "backslashes": "$'" + "\\" * (LIMIT - 3) + "'",
    "braces": "{a,b}" * (LIMIT // 5),
    "braces that multiply": "rm " + "{a,b,c}" * 100,
    "a variable that doubles": "a=xx;" + "a=$a$a;" * 3000,
    "functions in a ring": "f(){ g;g;}; g(){ h;h;}; h(){ f;f;}; f",
    "loops in loops": "for a in 1 2 3 4 5 6 7 8; do " * 12 + "git push;" + " done;" * 12,
    "wrappers": "sudo " * (LIMIT // 5),
    "evals": "eval " * (LIMIT // 5),
    "find and find": "find . " + "-name a " * 3000 + "-exec git push \\; " * 1000,
    "folders": "git " + "-C a " * (LIMIT // 5),
    "refspecs": "git push " + "x " * (HALF - 10),
    "an alias of itself": "alias a='a a'; a",
    "code": "python -c '" + "open(" * (LIMIT // 6) + "'",
    "a sed script": "sed s" + "/a" * (HALF - 10),
    "subscripts": "a[$(x)]=1;" * (LIMIT // 10),
    "values that are cut": "x=" + "a" * 500 + ";" + "echo ${x##*a*a*a*b};" * 3000,
    "lines that are continued": "cat <<E\n" + "\\\n" * (HALF - 10),
    "loops in endless loops": "while read x; do " * 12 + "git push; x=$x$y;" + "done;" * 12,
    "files that are made": "touch q;" + ("rm " + "b/" * 60 + ";") * 500,
    "folders that are not there": "".join(f"cd a{number};" for number in range(9000)),
    "words that are commands": "foo " + "git " * (LIMIT // 5),
    "texts that are commands": "foo " + "'git push' " * (LIMIT // 12),
    "patterns as names": "*a*b*c*d* x;" * (LIMIT // 13),
    "a long PATH": "PATH=" + "a:" * 20000 + "; echo > b;" + "foo;" * 3000,
    "spaces between quotes": "python -c '\"" + " " * (LIMIT - 20) + "'",
    "names in code": "python -c '" + 'a="b";' * 9000 + "'",
    "runs in code": "python -c 'subprocess.run([" + '"a",' * 15000 + "'",
    "archives": "tar xf a -C b;" * (LIMIT // 14),
    "members that are chosen": "unzip -o a " + "b/c " * (LIMIT // 4 - 8),
    "archives that are copied": "".join(f"cp a{number} b;tar xf b;" for number in range(2800)),
    "patches": "cat a|git apply;" * (LIMIT // 16),
    "links that lead on": "".join(f"ln -s l{number} l{number + 1};" for number in range(1200))
    + "tar xf a -C l1200;" * 800,
    "too long": "x" * (LIMIT + 1),
    "NUL": "\0" * LIMIT,
    "surrogates": "\ud800" * LIMIT,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_is_answered_in_bounded_time(kind: str) -> None:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        read_command(HOSTILE[kind])
        best = min(best, time.process_time() - start)
        if best < 0.4:
            return
    pytest.fail(f"{best:.1f} s of CPU")  # 0.2 s where the limit was set; machines differ


@pytest.mark.parametrize(
    "kind", ["many commands", "substitutions", "wrappers", "loops in loops", "too long", "NUL", "surrogates"]
)
def test_what_is_too_much_is_opaque_and_could_be_anything(kind: str) -> None:
    found = [operation for operation in read_command(HOSTILE[kind]) if operation.name == "opaque"]
    assert found
    assert len(found[0].params["command"]) <= 300
    assert kind in ("NUL", "surrogates") or "anything" in found[0].params["touches"]


@pytest.mark.parametrize(
    "text",
    [
        "git push \0 origin main",
        "git push \ud800 origin main",
        "git push origin main; (",
        "git push origin main; echo 'x",
    ],
)
def test_what_can_be_read_of_a_broken_text_is_read(text: str) -> None:
    names = [operation.name for operation in read_command(text)]
    assert "git.push" in names
    assert "opaque" in names


@pytest.mark.parametrize(
    "text",
    ["git push origin main )", "(git push origin main", "g'i't push origin main; fi; done (", "git push origin 'main"],
)
def test_a_text_that_is_no_shell_does_not_hide_what_it_speaks_of(text: str) -> None:
    (opaque,) = [operation for operation in read_command(text) if operation.name == "opaque"]
    assert opaque.params["touches"] == ["git"] or any(o.name == "git.push" for o in read_command(text))


def test_each_effect_is_reported_once_in_order() -> None:
    for text in (
        "rm a; git push origin x tag v1; rm a; git push origin x tag v2; rm b",
        "rm a a; git push origin x tag v1 x x tag v1 tag v2; rm a b b",
    ):
        found = read_command(text)
        assert [(o.name, *(o.params[k] for k in ("path", "branch", "tag") if k in o.params)) for o in found] == [
            ("file.delete", "a"),
            ("git.push", "x"),
            ("git.push_tag", "v1"),
            ("git.push_tag", "v2"),
            ("file.delete", "b"),
        ]


def test_an_operation_carries_the_part_of_the_text_that_does_it() -> None:
    found = read_command("cd a && rm b; sudo git push -f origin main 2>&1 | tail")
    assert [o.text for o in found] == ["rm b", "sudo git push -f origin main 2>&1"]


class Place(Nowhere):
    """Surroundings with an alias, a script and a home."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str]] = []

    def alias(self, folder: str | None, name: str) -> str | None:
        self.asked.append((folder, name))
        return {"p": "push", "ship": "!git push origin main", "loop": "loop", "bad": "push 'x"}.get(name)

    def script(self, path: str) -> str | None:
        return {"a/deploy.sh": 'cd b\ngit push origin "$1"\n', "lib.sh": "publish() { npm publish; }\n"}.get(path)

    def variable(self, name: str) -> str | None:
        return {"HOME": "/home/ada", "PWD": "/srv/app"}.get(name)


# command, operations: (name, what is known of it)
WITH_PLACE = [
    ("git p origin main", [("git.push", "main", "")]),
    ("git -C a ship", [("git.push", "main", "a")]),
    ("cd a && git ship", [("git.push", "main", "a")]),
    ("git loop", [("opaque", ["git"], "")]),
    ("git bad", [("opaque", ["git"], "")]),
    ("cd a && bash deploy.sh main", [("git.push", "main", "a/b")]),
    ("sh a/deploy.sh main", [("git.push", "main", "b")]),
    ("./a/deploy.sh main", [("git.push", "main", "b")]),
    ("./other.sh", []),
    (
        "source a/deploy.sh; git push origin x",
        [("file.read", "a/deploy.sh", ""), ("git.push", "", "b"), ("git.push", "x", "b")],
    ),
    ("source lib.sh; echo done", [("file.read", "lib.sh", "")]),
    ("source lib.sh; publish", [("file.read", "lib.sh", ""), ("package.publish", None, "")]),
    ("rm ~/x", [("file.delete", "/home/ada/x", "")]),
    ('rm "$HOME/x"', [("file.delete", "/home/ada/x", "")]),
    ("rm '~/x'", [("file.delete", "~/x", "")]),
    ("rm $PWD/x", [("file.delete", "/srv/app/x", "")]),
    ("cd; git push origin x", [("git.push", "x", "/home/ada")]),
    ("cd ~/w && git push origin x", [("git.push", "x", "/home/ada/w")]),
    ("cd $(pwd)/w && rm x", [("file.delete", "/srv/app/w/x", "")]),
    ("unset HOME; rm $HOME/x", [("file.delete", "/x", "")]),
]


@pytest.mark.parametrize(("command", "wanted"), WITH_PLACE)
def test_the_place_is_asked_about_aliases_scripts_and_variables(
    command: str, wanted: list[tuple[str, object, str]]
) -> None:
    assert [(o.name, _about(o), o.folder) for o in read_command(command, Place())] == wanted


def _about(operation: Operation) -> object:
    return next((operation.params[k] for k in ("branch", "path", "touches", "version") if k in operation.params), None)


class Checkout(Nowhere):
    """Surroundings with files and folders."""

    def exists(self, path: str) -> bool:
        return path in ("src", "src/app.py", "build", "build.sh", "logo.png")

    def folder_exists(self, path: str) -> bool:
        return path in ("src", "build")

    def script(self, path: str) -> str | None:
        return {
            "/tmp/deploy": "#!/bin/sh\ngit push origin main\n",
            "/tmp/plain": "git push origin main\n",
            "/tmp/deploy.py": "import os; os.system('git push')\n",
            "/tmp/run": "#!/usr/bin/env python3\nimport os; os.system('git push')\n",
            "ship": "#!/usr/bin/env bash\ngit push origin main\n",
            "tool": "#!/usr/bin/env node\n// git push\n",
            "gradlew": '#!/bin/sh\neval "$x"\n',
            "node_modules/.bin/tsc": "#!/bin/sh\ngit push origin main\n",
            "old.sh": "true\n",
        }.get(path)


# command, what is deleted
DELETED = [
    ("rm -rf src", ["src"]),
    ("cd src; rm app.py", ["src/app.py"]),
    ("cd nope; rm -rf src", ["nope/src", "src"]),
    ("cd nope\nrm -rf src", ["nope/src", "src"]),
    ("cd nope && rm -rf src", ["nope/src"]),
    ("cd nope && true; rm -rf src", ["nope/src", "src"]),
    ("cd nope || exit 1; rm -rf src", ["nope/src"]),
    ("set -e; cd nope; rm -rf src", ["nope/src"]),
    ("set -e; set +e; cd nope; rm -rf src", ["nope/src", "src"]),
    ("mkdir nope; cd nope; rm -rf src", []),
    ("(cd nope; true); rm -rf src", ["src"]),
    ('T=$(mktemp -d); cd "$T"; rm -rf src', []),
    ("echo x > scratch.py && python3 scratch.py && rm scratch.py", []),
    ("mkdir -p t && cp src/app.py t/ && rm -rf t", []),
    ("mkdir -p t && rm -rf t/../src t/a", ["t/../src"]),
    ("mkdir -p src && rm -rf src", ["src"]),
    ("touch src/app.py && rm src/app.py", ["src/app.py"]),
    ("echo > logo.png; rm logo.png", ["logo.png"]),
    ("mkdir -p t && ln -s ../src t/s && rm -rf t/s/", ["t/s/"]),
    ("mkdir -p t && python3 -c 'import shutil; shutil.move(a, b)'; rm -rf t", ["t"]),
]


@pytest.mark.parametrize(("command", "wanted"), DELETED)
def test_what_the_command_made_is_its_own_and_a_cd_that_fails_leaves_it_where_it_was(
    command: str, wanted: list[str]
) -> None:
    assert [o.params["path"] for o in read_command(command, Checkout()) if o.name == "file.delete"] == wanted


def test_what_a_move_brings_into_a_folder_is_not_the_commands_own() -> None:
    found = read_command("mkdir -p t && mv src t/ && rm -rf t", Checkout())
    assert "t" in [o.params["path"] for o in found if o.name == "file.delete"]


# command, what is known of the scripts in it
SCRIPTS = [
    ("/tmp/deploy", ["git.push"]),
    ("/tmp/plain", ["git.push"]),
    ("./ship", ["git.push"]),
    ("/tmp/run", ["opaque git"]),
    ("python3 /tmp/deploy.py", ["opaque git"]),
    ("python3 deploy.py", []),
    ("./tool", []),
    ("./gradlew build", []),
    ("node_modules/.bin/tsc", []),
    ("sh old.sh", []),
    ("sed -i s/true/x/ old.sh && sh old.sh", ["file.write", "opaque anything"]),
    ("cp x old.sh && sh old.sh", ["file.read", "file.write", "opaque anything"]),
    ("BASH_ENV=/tmp/plain bash -c true", ["git.push"]),
    ("GIT_SSH=/tmp/deploy git fetch", ["git.push"]),
]


@pytest.mark.parametrize(("command", "wanted"), SCRIPTS)
def test_scripts_are_read_by_what_they_begin_with_unless_the_command_changed_them(
    command: str, wanted: list[str]
) -> None:
    found = read_command(command, Checkout())
    assert [" ".join([o.name, *o.params.get("touches", [])]) for o in found] == wanted


def test_aliases_are_asked_for_where_git_would_look_for_them() -> None:
    place = Place()
    read_command("cd a && git -C b p; git status; git push", place)
    assert place.asked == [("a/b", "p")]


def test_reading_a_command_loads_nothing_that_a_hook_may_not() -> None:
    code = (
        "import sys; from llmgenie_mcp.shell import read_command; assert read_command('git push')\n"
        "heavy = {'pydantic', 'mcp', 'jsonschema', 'ruamel', 'click', 'json', 'subprocess', 'pathlib', 'tree_sitter'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
