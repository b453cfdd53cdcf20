"""What a `git push` would really write to: its destinations by git's own rules and the repository's configuration.

The rules are those of git-push(1) and git-config(1), with gitrevisions(7) and gitrepository-layout(5) for names and files;
where the manuals are silent, what git itself does decides, and the tests ask it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.repository import HEADS, TAGS, ask, head_ref, refs_in, repository_folders

MOST = 500
"""So many destinations are listed; a push to more counts as one to an unknown branch."""
_LOOKED_UP = ("{}", "refs/{}", TAGS + "{}", HEADS + "{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
"""What a short name may stand for (gitrevisions(7)); push takes any of them and refuses what is ambiguous."""


def destinations(folder: Path, operation: Operation) -> list[Operation]:
    """The pushes that one `git.push` comes to, each with the branch it writes; tags become `git.push_tag`.

    Args:
        folder: where git would run.
        operation: its parameter `unresolved` says what is to be looked up: "default" (no refspec was given), "HEAD"
            (the current branch), "branches" (--all), "mirror" (--mirror), "all" (one of these two or a pattern, which is
            not said: all branches, and an unknown one). `refspec` is a refspec as it was written; without it, a `branch`
            that is also a local branch or tag counts as both source and destination. `remote` is "" where none is named
            and None where it is not known. `config` holds pairs of settings given for this command alone (`git -c`).

    Returns:
        At least one operation; `source` names what is pushed, as git takes it. `branch` is None where the destination
        cannot be known. What git would refuse to push is listed as far as it is known. Refs that are neither branches nor
        tags keep their full name.
    """
    params = operation.params
    if operation.name != "git.push" or (params.get("branch") is None and not params.get("unresolved")):
        return [operation]
    try:
        push = _Push(folder, params)
        found = list(dict.fromkeys(push.targets()))
    except (OSError, subprocess.TimeoutExpired, _UnknownError):
        return [_listed(operation, _Target(None), params.get("remote") or None)]
    if len(found) > MOST:
        found = [_Target(None, any(target.force for target in found), any(target.delete for target in found))]
    return [
        _listed(operation, target, None if push.named is None else push.remote) for target in found or [_Target(None)]
    ]


class _UnknownError(Exception):
    """It cannot be known where the push goes."""


@dataclass(frozen=True, slots=True)
class _Target:
    ref: str | None
    force: bool = False
    delete: bool = False
    source: str | None = None


@dataclass(frozen=True, slots=True)
class _Refspec:
    """A refspec as git-push(1) describes it; `destination` is None when there is no colon."""

    source: str
    destination: str | None
    force: bool = False
    negative: bool = False

    @classmethod
    def parse(cls, text: str) -> _Refspec:
        force, negative = text.startswith("+"), text.startswith("^")
        source, colon, destination = text[force or negative :].partition(":")
        return cls("HEAD" if source == "@" else source, destination if colon else None, force, negative)

    @property
    def matching(self) -> bool:
        """`:`, which stands for all branches that both sides have."""
        return not self.source and self.destination == ""

    @property
    def pattern(self) -> bool:
        return "*" in self.source

    def mapped(self, ref: str) -> str | None:
        """Where a pattern sends `ref`; None when it does not match."""
        before, _, after = self.source.partition("*")
        if len(ref) < len(before) + len(after) or not (ref.startswith(before) and ref.endswith(after)):
            return None
        middle = ref[len(before) : len(ref) - len(after)]
        return (self.source if self.destination is None else self.destination).replace("*", middle, 1)


class _Push:
    """One push in one repository."""

    def __init__(self, folder: Path, params: Mapping[str, Any]) -> None:
        self.folder = folder
        self.params = params
        self.config = _settings(folder, params.get("config") or ())
        self.head = head_ref(folder)
        self.branch = self.head.removeprefix(HEADS) if self.head and self.head.startswith(HEADS) else None
        self.named = params.get("remote", "")
        self.remote = self.named or self._default_remote()

    @cached_property
    def refs(self) -> list[str]:
        """Full names of all refs of this repository."""
        place = repository_folders(self.folder)
        found = refs_in(place[1]) if place is not None else None
        if found is not None:
            return found
        answer = ask(self.folder, "for-each-ref", "--format=%(refname)")
        if answer is None:
            raise _UnknownError
        return answer.splitlines()

    def setting(self, key: str) -> str | None:
        """The last value of a setting; git takes that one."""
        values = self.config.get(key)
        return values[-1] if values else None

    def targets(self) -> Iterator[_Target]:
        """What is written, in the order that git would."""
        params, unresolved = self.params, self.params.get("unresolved")
        mirror = unresolved == "mirror" or _true(self.setting(f"remote.{self.remote}.mirror"))
        if params.get("refspec") is not None:
            specs = list(self._given(str(params["refspec"])))
        elif unresolved == "HEAD":
            specs = [_Refspec.parse("HEAD")]
        elif unresolved in ("branches", "mirror", "all"):
            specs = []
        elif unresolved:
            specs = self._configured() or ([] if mirror else self._by_default())
        else:
            specs = list(self._supposed(str(params["branch"]), delete=bool(params.get("delete"))))
        if mirror:
            # What the other side has beyond this is deleted there.
            yield from (replace(target, force=True) for target in self._matched(specs, every_ref=True))
            yield _Target(None, force=True, delete=True)
        else:
            yield from self._matched(specs, every_ref=False)
        if unresolved == "all" and params.get("refspec") is None:
            yield _Target(None)

    def _default_remote(self) -> str:
        own = f"branch.{self.branch}."
        for key in (f"{own}pushremote", "remote.pushdefault", f"{own}remote"):
            if self.branch is None and key.startswith(own):
                continue
            if named := self.setting(key):
                return named
        return self._upstream_remote(None)

    def _upstream_remote(self, branch: str | None) -> str:
        """The remote of a branch: the one named for it, else the only one there is, else origin."""
        if branch is not None and (named := self.setting(f"branch.{branch}.remote")):
            return named
        remotes = {key.split(".", 1)[1].rpartition(".")[0] for key in self.config if key.startswith("remote.")} - {""}
        return remotes.pop() if len(remotes) == 1 else "origin"

    def _configured(self) -> list[_Refspec]:
        """The refspecs that are pushed to the remote when none is given. Raises _UnknownError."""
        if self.named is None and any(
            key.startswith("remote.") and key.endswith((".push", ".mirror")) for key in self.config
        ):
            raise _UnknownError
        if f"remote.{self.remote}.url" not in self.config and "/" not in self.remote:
            shared = (repository_folders(self.folder) or (None, None))[1]
            # The forms of configuration before `git remote`: they may hold refspecs too.
            if shared is not None and any((shared / kind / self.remote).is_file() for kind in ("remotes", "branches")):
                raise _UnknownError
        return [_Refspec.parse(text) for text in self.config.get(f"remote.{self.remote}.push") or () if text]

    def _by_default(self) -> list[_Refspec]:
        """What `push.default` says; where git would refuse, the branch that was meant."""
        rule = self.setting("push.default") or "simple"
        if rule == "matching":
            return [_Refspec.parse(":")]
        if self.branch is None:
            raise _UnknownError
        own = f"{HEADS}{self.branch}"
        merged = self.config.get(f"branch.{self.branch}.merge") or []
        if rule in ("upstream", "tracking") and len(merged) == 1 and merged[0]:
            return [_Refspec(own, merged[0])]
        return [_Refspec(own, own)]

    def _given(self, text: str) -> Iterator[_Refspec]:
        """A refspec of the command line; one without a colon is mapped by the configuration, as push does."""
        spec = _Refspec.parse(text)
        matches = [] if spec.destination is not None or spec.pattern or spec.force else self._candidates(spec.source)
        yield from self._mapped(matches[0], spec) if len(matches) == 1 else (spec,)

    def _supposed(self, branch: str, *, delete: bool) -> Iterator[_Refspec]:
        """The refspecs that a push may have been given which is only known by its destination."""
        yield _Refspec("" if delete else "HEAD", branch)
        for ref in () if delete else self._candidates(branch):
            yield from self._mapped(ref, _Refspec(ref, None))

    def _mapped(self, ref: str, spec: _Refspec) -> Iterator[_Refspec]:
        """Where the configuration sends a local ref that is named without a destination; else `spec` as it was given."""
        specs = self._configured()
        for one in specs:
            sent = None if one.negative else one.mapped(ref) if one.pattern else one.source == ref and one.destination
            if one.destination and sent:
                yield _Refspec(ref, sent, one.force)
                if not any(other.negative for other in specs):
                    return
                break  # which side of a refspec a negative one is compared with differs between versions of git
        branch = ref.removeprefix(HEADS)
        merged = self.config.get(f"branch.{branch}.merge") or []
        upstream = self.setting("push.default") in ("upstream", "tracking") and self.setting(f"branch.{branch}.remote")
        yield (
            _Refspec(ref, merged[0]) if ref.startswith(HEADS) and upstream and len(merged) == 1 and merged[0] else spec
        )

    def _matched(self, specs: list[_Refspec], *, every_ref: bool) -> Iterator[_Target]:
        """The refs that `specs` write, those left out that a negative one names; no specs stand for all branches."""
        without = [spec for spec in specs if spec.negative]
        wide = [spec for spec in specs if not spec.negative and (spec.pattern or spec.matching)]
        named = [spec for spec in specs if not (spec.negative or spec.pattern or spec.matching)]
        found = {ref: target for spec in named for ref, target in self._explicit(spec)}
        if wide or not specs:
            for ref in self.refs:
                sent, force = _sent(ref, wide, every_ref=every_ref)
                if sent is not None:
                    found.setdefault(sent, _Target(sent, force, source=ref))
        for ref, target in found.items():
            if not any(spec.mapped(ref) is not None if spec.pattern else spec.source == ref for spec in without):
                yield target

    def _explicit(self, spec: _Refspec) -> Iterator[tuple[str, _Target]]:
        """What a refspec without a wildcard may write: two refs where only the other side's refs decide between them."""
        delete = not spec.source
        for ref in self._written(spec):
            yield ref, _Target(ref, spec.force, delete, spec.source or None)

    def _written(self, spec: _Refspec) -> Iterable[str]:
        given = spec.destination
        if given is not None and given.startswith("refs/"):
            return [given]
        sources = [self.head] if spec.source == "HEAD" and self.head else self._candidates(spec.source)
        if given is None:
            if spec.source == "HEAD" and not self.head:
                raise _UnknownError
            return sources or [_full(spec.source)]
        # A short name is looked up on the other side first; a new one becomes a branch or a tag as the source is.
        found = [f"{HEADS}{given}"]
        if given.startswith(("heads/", "tags/", "remotes/")):
            found.insert(0, f"refs/{given}")
        if f"{TAGS}{given}" in self.refs or any(ref.startswith(TAGS) for ref in sources):
            found.append(f"{TAGS}{given}")
        return found

    def _candidates(self, name: str) -> list[str]:
        """The local refs that push takes `name` for: branches, tags and what is named from the top, else all others."""
        named = {form.format(name) for form in _LOOKED_UP} if name else set()
        found = [ref for ref in self.refs if ref in named]
        strong = [ref for ref in found if ref in (name, f"refs/{name}") or ref.startswith((HEADS, TAGS))]
        return strong or found


def _sent(ref: str, specs: list[_Refspec], *, every_ref: bool) -> tuple[str | None, bool]:
    """Where `ref` goes by patterns and `:`, and whether by force; None when it stays."""
    matching = None if specs else _Refspec("", "")
    for spec in specs:
        if spec.matching:
            matching = spec if matching is None or spec.force else matching
        elif (sent := spec.mapped(ref)) is not None:
            return sent, spec.force
    if matching is None or not (every_ref or ref.startswith(HEADS)):
        return None, False
    return ref, matching.force


def _listed(operation: Operation, target: _Target, remote: str | None) -> Operation:
    params = {k: v for k, v in operation.params.items() if k not in ("unresolved", "refspec", "config", "branch")}
    params["remote"] = remote
    if target.source and not target.delete and {"refspec", "unresolved"} & operation.params.keys():
        params["source"] = target.source
    for flag in ("force", "delete"):
        if getattr(target, flag):
            params[flag] = True
    if target.ref is not None and target.ref.startswith(TAGS):
        return replace(operation, name="git.push_tag", params={"tag": target.ref.removeprefix(TAGS), **params})
    branch = target.ref.removeprefix(HEADS) if target.ref is not None else None
    return replace(operation, params={"branch": branch, **params})


def _full(name: str) -> str:
    return name if name.startswith("refs/") else f"{HEADS}{name}"


def _settings(folder: Path, given: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """All settings in force in `folder`, with those given for one command; a setting without a value is `true`."""
    extra = [word for key, value in given for word in ("-c", f"{key}={value}")]
    answer = ask(folder, *extra, "config", "--null", "--list")
    if answer is None:
        raise _UnknownError
    found: dict[str, list[str]] = {}
    for entry in answer.split("\0"):
        key, line_end, value = entry.partition("\n")
        if key:
            found.setdefault(key, []).append(value if line_end else "true")
    return found


def _true(value: str | None) -> bool:
    return value is not None and value.lower() not in ("", "false", "no", "off", "0")
