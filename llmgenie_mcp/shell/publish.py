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
    "maturin": ("publish", "upload"), "cargo": ("publish", "yank", "release"), "gem": ("push", "yank"),
    "docker": ("push", "image push", "manifest push"), "podman": ("push", "image push"), "helm": ("push", "cm-push"),
    "mvn": ("deploy", "release:perform", "deploy:deploy"), "gradle": ("publish",), "gradlew": ("publish",),
    "goreleaser": ("release", ""), "dotnet": ("nuget push",), "nuget": ("push",), "lerna": ("publish",),
    "changeset": ("publish",), "semantic-release": ("",), "release-it": ("",), "np": ("",), "vsce": ("publish",),
    "ovsx": ("publish",), "dart": ("pub publish",), "flutter": ("pub publish",), "mix": ("hex.publish",),
    "sbt": ("publish",), "jsr": ("publish",), "pod": ("trunk push",), "luarocks": ("upload",), "conan": ("upload",),
    "conda": (), "skopeo": ("copy",), "oras": ("push",), "anaconda": ("upload",), "wrangler": ("publish",),
    "deno": ("publish",), "stack": ("upload",), "cabal": ("upload",), "opam": ("publish",),
    "swift": ("package-registry publish",),
}  # fmt: skip
_ASKS = ("--dry-run", "--help", "-h", "--snapshot", "--skip-publish", "--version")
_TAKES = """-C --cwd --prefix --filter -F --manifest-path -p --package -r --repository --tag --access -w --workspace --otp
    --registry --file -f"""


def package(call: Call) -> str | None:
    """Report what a package manager publishes, if that is what it is told."""
    verbs = _PUBLISHES.get(call.name, ())
    operands = parse(call.words, _TAKES).operands
    if any(word in call.words for word in _ASKS):
        return None
    if call.name in ("docker", "podman") and "build" in operands[:2]:
        published = "--push" in call.words
        operands = ["build", *parse(call.words, _TAKES + " -t").values("-t", "--tag")]
    elif call.name in ("gradle", "gradlew"):
        published = any(
            re.search(r"(^|:)(publish\w*|uploadArchives|closeAndRelease\w*)$", word)
            and not word.endswith("ToMavenLocal")
            for word in operands
        )
    elif call.name in ("mvn", "sbt"):
        published = any(word in verbs or word.endswith("/publish") for word in operands)
    else:
        first = (" ".join(operands[:1]), " ".join(operands[:2]))
        published = any(verb in first for verb in verbs) and not (verbs == ("release", "") and first[0] not in verbs)
    if unknown(operands[:1]) and any(verbs):
        call.opaque(f"what {call.name} is told cannot be known", ["publish"])
    if published:
        call.emit("package.publish", version=_version(operands))
    return None


def _version(operands: list[str]) -> str | None:
    """The version where the command names it: a file of a distribution, an image's tag."""
    text = operands[-1] if len(operands) > 1 else ""
    match = re.search(r"[-@:](v?\d+(?:\.\d+)+[\w.+]*?)(?:-py|-cp|\.tar|\.tgz|\.zip|\.gem|\.nupkg|$)", text)
    return known(match.group(1)) if match else None


HANDLERS: dict[str, Callable[[Call], str | None]] = dict.fromkeys(_PUBLISHES, package)
