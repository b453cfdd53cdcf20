"""What publishes a package: the subcommands of package managers (their manuals)."""

from __future__ import annotations

import re
from collections.abc import Callable

from llmgenie_mcp.shell.arguments import known, parse, unknown
from llmgenie_mcp.shell.call import Call

# program → subcommands that publish
_PUBLISHES: dict[str, tuple[str, ...]] = {
    "npm": ("publish", "unpublish", "deprecate", "dist-tag add"), "pnpm": ("publish",),
    "yarn": ("publish", "npm publish"), "bun": ("publish",), "twine": ("upload",), "uv": ("publish",),
    "poetry": ("publish",), "flit": ("publish",), "hatch": ("publish",), "pdm": ("publish",), "rye": ("publish",),
    "maturin": ("publish", "upload"), "gem": ("push", "yank"), "rake": ("release", "release:rubygem_push"),
    "cargo": ("publish", "yank", "release", "workspaces publish", "ws publish", "smart-release"),
    "docker": ("push", "image push", "manifest push", "compose push"), "docker-compose": ("push",),
    "podman": ("push", "image push", "manifest push"), "nerdctl": ("push", "image push"), "buildah": ("push",),
    "crane": ("push", "copy", "cp", "append", "tag"), "ko": ("publish", "resolve", "apply"), "helm": ("push", "cm-push"),
    "mvn": ("deploy", "release:perform", "deploy:deploy"), "gradle": ("publish",), "gradlew": ("publish",),
    "goreleaser": ("release", ""), "dotnet": ("nuget push",), "nuget": ("push",), "lerna": ("publish",),
    "changeset": ("publish",), "semantic-release": ("",), "release-it": ("",), "np": ("",), "vsce": ("publish",),
    "ovsx": ("publish",), "dart": ("pub publish",), "flutter": ("pub publish",), "mix": ("hex.publish",),
    "sbt": ("publish", "publishSigned", "release", "sonatypeRelease"), "lein": ("deploy", "release"),
    "jsr": ("publish",), "pod": ("trunk push",), "luarocks": ("upload",), "conan": ("upload",),
    "conda": (), "skopeo": ("copy",), "oras": ("push",), "anaconda": ("upload",), "wrangler": ("publish",),
    "deno": ("publish",), "stack": ("upload",), "cabal": ("upload",), "opam": ("publish",),
    "swift": ("package-registry publish",),
}  # fmt: skip
_ASKS = ("--dry-run", "--help", "-h", "--snapshot", "--skip-publish")
_NPM = "-C --cwd --dir --prefix --filter -F -w --workspace --tag --access --otp --registry --userconfig --loglevel"
_CONTAINERS = "-H --host -l --log-level --config --context -f --file -p --project-name --profile --env-file"
_TAKES: dict[str, str] = {
    **dict.fromkeys(("npm", "pnpm", "yarn", "bun", "lerna"), _NPM),
    **dict.fromkeys(("docker", "podman", "nerdctl", "docker-compose"), _CONTAINERS),
    "docker": f"-c {_CONTAINERS}", "uv": "--directory --project --index -p --python --config-file --cache-dir --color",
    "poetry": "-C --directory -P --project -r --repository -u -p", "pdm": "-p --project -r --repository",
    "cargo": "-C --manifest-path -p --package --registry --token --config -Z --target-dir --color",
    "rake": "-f --rakefile -C --directory -I -r", "mvn": "-f --file -P -pl -s --settings", "sbt": "",
    "twine": "-r --repository --repository-url -u -p -i -s --config-file --cert",
    **dict.fromkeys(("gradle", "gradlew"), "-p --project-dir -b -c -x --exclude-task -I"),
}  # fmt: skip
"""Options that take a value; of other programs those in `_OTHERS`."""
_OTHERS = (
    "-C --prefix --directory --manifest-path -p --package -r --repository --tag --access --otp --registry --file -f"
)


def _takes(name: str) -> str:
    return _TAKES.get(name, _OTHERS)


def package(call: Call) -> str | None:
    """Report what a package manager publishes, if that is what it is told."""
    if _does_nothing(call.words):
        return None
    operands = parse(call.words, _takes(call.name)).operands
    if call.name == "cargo" and operands and operands[0].startswith("+"):  # rustup's toolchain
        operands = operands[1:]
    if call.name in ("pnpm", "yarn") and (inner := _within(call)) is not None:
        return call.delegate(inner)
    if call.name == "npm" and operands[:1] == ["version"] and len(operands) > 1:
        _versioned(call)
    if unknown(operands[:1]) and any(_PUBLISHES.get(call.name, ())):
        call.opaque(f"what {call.name} is told cannot be known", ["publish"])
    if call.name in _BUILDERS and ({"build", "bake"} & set(operands[:2]) or operands[:2] == ["compose", "build"]):
        operands = ["build", *parse(call.words, f"{_takes(call.name)} -t").values("-t", "--tag")]
        published = "--push" in call.words
    else:
        published = _publishes(call.name, operands)
    if published:
        call.emit("package.publish", version=_version(operands))
    return None


def _does_nothing(words: list[str]) -> bool:
    """Whether it is only asked what would be done; `gem yank a --version 1` is no question."""
    pairs = zip(words, [*words, ""][1:], strict=True)
    asked = any(word in _ASKS and after not in ("false", "0") for word, after in pairs)
    return (asked and "--no-dry-run" not in words) or words[:1] == ["--version"]


_BUILDERS = ("docker", "podman", "nerdctl", "docker-compose", "ko")


def _publishes(name: str, operands: list[str]) -> bool:
    verbs = _PUBLISHES.get(name, ())
    if name in ("gradle", "gradlew"):
        return any(
            re.search(r"(^|:)(publish\w*|uploadArchives|closeAndRelease\w*)$", word)
            and not word.endswith("ToMavenLocal")
            for word in operands
        )
    if name in ("mvn", "sbt", "rake"):
        return any(word in verbs or word.endswith(("/publish", "/publishSigned")) for word in operands)
    first = (" ".join(operands[:1]), " ".join(operands[:2]))
    if name == "npm" and len(first[0]) > 2 and any(verb.startswith(first[0]) for verb in verbs if " " not in verb):
        return True  # npm lets its commands be cut short
    return any(verb in first for verb in verbs) and not (verbs == ("release", "") and first[0] not in verbs)


_OWN = frozenset({"exec", "test", "npm"})
"""Subcommands of pnpm and yarn that are programs' names too."""


def _within(call: Call) -> list[str] | None:
    """What pnpm and yarn run themselves: a program by its name, or a command of theirs in other workspaces."""
    words = parse(call.words, _takes(call.name), first=True).operands
    if call.name == "yarn" and words[:1] in (["workspace"], ["workspaces"]):
        inner = words[2:] if words[:2] == ["workspaces", "foreach"] or words[0] == "workspace" else []
        inner = parse(inner, "--include --exclude --from -j --jobs", first=True).operands
        return ["yarn", *inner] if inner else None
    named = bool(words) and (words[0] in _PUBLISHES or words[0] in ("git", "gh", "glab")) and words[0] not in _OWN
    return words if named else None


def _versioned(call: Call) -> None:
    """`npm version` makes a commit and a tag of it (npm-version(1))."""
    if not any(word in call.words for word in ("--no-git-tag-version", "--git-tag-version=false")):
        call.emit("git.commit", branch=call.scope.branches.get(call.scope.folder, ""), message=None)
        call.emit("git.tag", tag=None)


def _version(operands: list[str]) -> str | None:
    """The version where the command names it: a file of a distribution, an image's tag."""
    text = operands[-1] if len(operands) > 1 else ""
    match = re.search(r"[-@:](v?\d+(?:\.\d+)+[\w.+]*?)(?:-py|-cp|\.tar|\.tgz|\.zip|\.gem|\.nupkg|$)", text)
    return known(match.group(1)) if match else None


def _scoped(call: Call) -> str | None:
    """A package's only program is run by the package's name, the scope of which is no folder."""
    return call.delegate(["changeset", *call.words]) if call.word.startswith("@changesets/cli") else None


HANDLERS: dict[str, Callable[[Call], str | None]] = {**dict.fromkeys(_PUBLISHES, package), "cli": _scoped}
