"""What is fetched and sent, and which requests change a repository at its host."""

from __future__ import annotations

import re
from collections.abc import Callable

from llmgenie_mcp.shell.arguments import UNKNOWN, Arguments, known, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.unpacking import pour

_CURL = """-X -d -H -o -T -F -u -A -e -b -c -x -m -w -K -E -r -C -D -z -U -Q -y -Y -t -P --request --data --data-raw
    --data-binary --data-ascii --data-urlencode --json --header --output --upload-file --form --form-string --user
    --user-agent --referer --cookie --cookie-jar --proxy --max-time --connect-timeout --write-out --config --cert
    --key --cacert --capath --retry --retry-delay --retry-max-time --url --output-dir --resolve --range --limit-rate
    --interface --dump-header --oauth2-bearer --netrc-file --unix-socket --ciphers --max-redirs --proto --aws-sigv4
    --trace --trace-ascii --stderr --variable --url-query --etag-save --etag-compare --hsts --alt-svc --expand-data
    --expand-url --expand-header --expand-output"""
_WGET = """-O -o -a -P -t -T -U -i -e -Q -w -A -R -D -I -X -l --output-document --output-file --directory-prefix --tries
    --timeout --user-agent --header --post-data --post-file --method --body-data --body-file --user --password
    --input-file --execute --append-output --load-cookies --save-cookies --wait
    --limit-rate --accept --reject --level --certificate --private-key --referer"""
_COPIES = """-i -P -o -F -l -c -e -J -S -D --rsh --exclude --include --exclude-from --files-from --rsync-path --bwlimit
    --filter -f --backup-dir --partial-dir"""
_DATA = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json")

_MERGES = lazily(
    r"/pulls?/\d+/merge\b|/merges?\b(?!_requests?\b)|/merge-upstream\b|merge_requests/[^/]+/merge\b|/pullrequests/\d+/merge\b"
)
_REFS = lazily(
    r"/git/refs?\b|/contents/|/repository/(?:files|commits|branches)\b|/refs/branches\b|/git/(?:commits|trees|pushes)\b"
    r"|/branches/[^/]+/(?:rename|protection)|/rulesets\b"
)
_MUTATIONS = lazily(
    r"\b(mergePullRequest|enablePullRequestAutoMerge|mergeBranch|enqueuePullRequest)\b"
    r"|\b(createCommitOnBranch|updateRefs?|createRef|deleteRef|(?:delete|update)BranchProtectionRule)\b"
)


_RELEASES = lazily(r"/repos/[^/]+/[^/]+/releases(?:/|\?|$)|/projects/[^/]+/releases(?:/|\?|$)")
_REPOSITORY = lazily(r"/(?:repos/[^/]+/[^/?]+|projects/[^/?]+)/?(?:\?|$)")
_DISPATCHES = lazily(r"/actions/workflows/[^/]+/dispatches\b|/repos/[^/]+/[^/]+/dispatches$|/trigger/pipeline\b")
_VERDICT = lazily(r"\b(?:COMMENT|REQUEST_CHANGES)\b")
_EVENT = lazily(r"\bevent_type['\"]?\s*[:=]\s*['\"]?[\w-]*(?:release|publish|deploy)", re.IGNORECASE)
_SENDS_OUT = lazily(r"release|publish|deploy", re.IGNORECASE)
_APPROVES = lazily(r"/pulls/\d+/reviews\b|/merge_requests/\d+/approve$|/pullrequests/\d+/approve$")
_DISABLES = lazily(r"/actions/workflows/[^/]+/disable$|/actions/permissions$")
_APPROVALS = lazily(r"\b(?:add|submit)PullRequestReview\b")
_RESTORES = lazily(r"\b(default_branch|archived|visibility)\b")
_ESCAPED = lazily(r"%([0-7][0-9A-Fa-f])")
_TAG_FIELD = lazily(r"['\"]?\btag_name['\"]?\s*[:=]\s*['\"]?([^\s'\",}&]+)")


def _release(body: str) -> str | None:
    match = _TAG_FIELD.search(body)
    return known(match.group(1)) if match else None


def changes_repository(call: Call, url: str, method: str, body: str = "") -> None:
    """Report what a request to a host's API would do to a branch.

    GitHub: REST "Merge a pull request", "Merge a branch", "Update a reference", "Create or update file contents", and the
    GraphQL mutations of the same; GitLab: "Merge a merge request", commits and repository files; Bitbucket: pullrequests/merge.
    """
    url = _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), url)
    if method.upper() not in ("GET", "HEAD", "OPTIONS"):
        if _RELEASES.search(url):
            call.emit("package.publish", version=_release(body))
        elif _MERGES.search(url):
            call.emit("git.merge", branch=None)
        elif _REPOSITORY.search(url) and (method.upper() == "DELETE" or _RESTORES.search(body)):
            call.emit("git.push", branch=None)
        elif _REFS.search(url):
            call.emit("git.push", branch=_branch(url, body))
        else:
            _checks(call, url, body)
    if "graphql" in url and _APPROVALS.search(body) and "APPROVE" in body:
        call.emit("restraint.lift", what="the review of a person")
    if "graphql" in url and (match := _MUTATIONS.search(body)):
        call.emit("git.merge" if match.group(1) else "git.push", branch=None)
    elif "graphql" in url and UNKNOWN in body:
        call.opaque("a request whose query cannot be known", ["git"])


def _checks(call: Call, url: str, body: str) -> None:
    """Report a request that starts or stops a workflow, or that says yes to a change in the name of a person."""
    if (dispatched := _DISPATCHES.search(url)) is not None:
        if _SENDS_OUT.search(dispatched.group()) or _EVENT.search(body):
            call.emit("package.publish", version=None)
    elif _APPROVES.search(url):
        if url.endswith("/approve") or "APPROVE" in body:
            call.emit("restraint.lift", what="the review of a person")
        elif UNKNOWN in body and not _VERDICT.search(body):
            call.opaque("a review whose verdict cannot be known", ["git"])
    elif _DISABLES.search(url):
        call.emit("restraint.lift", what="the checks of CI")


_BRANCH_FIELD = lazily(r"['\"]?\bbranch['\"]?\s*[:=]\s*['\"]?([^\s'\",}&]+)")


def _branch(url: str, body: str) -> str | None:
    """The branch that a request names; None where it names none, several, or sends what is not in the command."""
    match = re.search(r"/git/refs/heads/([^?#\s]+)", url)
    if match:
        return known(match.group(1))
    named = set(_BRANCH_FIELD.findall(body))
    return known(named.pop()) if len(named) == 1 and not re.search(r"(?:^|\s)@", body) else None


def _curl(call: Call) -> str | None:
    arguments = parse(call.words, _CURL)
    bodies = arguments.values(*_DATA)
    posts = bodies or arguments.has("-F", "--form", "--form-string")
    sends = arguments.has("-T", "--upload-file")
    method = arguments.value("-X", "--request") or (
        "HEAD"
        if arguments.has("-I", "--head")
        else "PUT"
        if sends
        else "POST"
        if posts and not arguments.has("-G", "--get")
        else "GET"
    )
    files = [body[1:] for body in bodies if body.startswith("@")]
    files += [
        value.split("@", 1)[1].split(";")[0]
        for value in arguments.values("-F", "--form")
        if "=@" in value or ("=<" in value and "@" in value)
    ]
    files += [value.split("=<", 1)[1] for value in arguments.values("-F", "--form") if "=<" in value]
    files += [
        value.split("@", 1)[1]
        for value in arguments.values("--data-urlencode")
        if "@" in value and not value.startswith("@") and "=" not in value
    ]
    files += [value[1:] for value in arguments.values("-H", "--header", "-w", "--write-out") if value.startswith("@")]
    files += [value for value in arguments.values("-b", "--cookie") if "=" not in value]
    files += [value.split("@", 1)[1] for value in arguments.values("--variable") if "@" in value]
    call.files("file.read", [*files, *arguments.values("-T", "--upload-file"), *arguments.values("-K", "--config")])
    urls = [*arguments.operands, *arguments.values("--url")]
    for url in urls:
        call.emit("network", url=known(url), method=method.upper())
        if url[:7].lower() == "file://":
            call.files("file.read", [url[7:].removeprefix("localhost")])
        changes_repository(call, url, method, " ".join(bodies))
    written = arguments.values("-o", "--output")
    if arguments.has("-O", "--remote-name"):
        written += [_remote_name(url) for url in urls]
    folder = arguments.value("--output-dir")
    call.files("file.write", [f"{folder.rstrip('/')}/{name}" for name in written] if folder else written)
    call.files("file.write", arguments.values("-D", "--dump-header", "-c", "--cookie-jar", "--trace", "--trace-ascii"))
    call.files("file.write", arguments.values("--stderr", "--etag-save", "--hsts", "--alt-svc"))
    return None


def _wget(call: Call) -> str | None:
    arguments = parse(call.words, _WGET)
    posts = arguments.has("--post-data", "--post-file")
    method = arguments.value("--method") or ("POST" if posts else "GET")
    call.files("file.read", arguments.values("--post-file", "--body-file", "-i", "--input-file", "--load-cookies"))
    call.files("file.write", arguments.values("-o", "--output-file", "-a", "--append-output", "--save-cookies"))
    body = " ".join(arguments.values("--post-data", "--body-data"))
    for url in arguments.operands:
        call.emit("network", url=known(url), method=method.upper())
        changes_repository(call, url, method, body)
    target = arguments.value("-O", "--output-document")
    folder = arguments.value("-P", "--directory-prefix")
    if target is None and not arguments.has("--spider"):
        names = [_remote_name(url) for url in arguments.operands]
        call.files("file.write", [f"{folder.rstrip('/')}/{name}" if folder else name for name in names])
    elif target:
        call.files("file.write", [target])
    return None


def _remote_name(url: str) -> str:
    if UNKNOWN in url:
        return UNKNOWN
    name = url.split("?", 1)[0].split("#", 1)[0].removeprefix("https://").removeprefix("http://")
    return name.rstrip("/").rpartition("/")[2] or "index.html"


def _httpie(call: Call) -> str | None:
    operands = parse(
        call.words, "-a -A -o --auth --auth-type --output --timeout --session --proxy --raw --verify --cert"
    ).operands
    method = operands.pop(0) if operands and operands[0].isupper() and operands[0].isalpha() else ""
    if operands:
        data = [word for word in operands[1:] if re.match(r"[\w.-]+(:=|=|@)", word)]
        method = method or ("POST" if data or call.stdin else "GET")
        call.emit("network", url=known(operands[0]), method=method)
        call.files("file.read", [word.split("@", 1)[1] for word in data if re.match(r"[\w.-]+=?@", word)])
        changes_repository(call, operands[0], method, " ".join(data))
    return None


def _remote(call: Call) -> str | None:
    """scp, sftp and rsync: `host:path` is elsewhere, the rest are files here."""
    arguments = parse(call.words, _COPIES)
    operands = arguments.operands
    for text in arguments.values("-e", "--rsh"):
        call.read_apart(text, [])
    _proxy(call, arguments)
    sources, target = operands[:-1], operands[-1] if operands else ""
    for word in operands:
        if _is_remote(word):
            call.emit("network", url=known(word), method="PUT" if word == target else "GET")
    call.files("file.read", [word for word in sources if not _is_remote(word)])
    if target and sources and not _is_remote(target) and not arguments.surely("-n", "--dry-run"):
        call.files("file.write", [target])
        for source in sources:
            if source.endswith(("/", "/.")) and not _is_remote(source):
                pour(call, source, target)
        if any(name.startswith("--del") for name, _ in arguments.options):
            call.files("file.delete", [target])
        if arguments.has("--remove-source-files"):
            call.files("file.delete", sources)
    return None


def _is_remote(word: str) -> bool:
    return bool(re.match(r"[^/.~][^/]*:", word)) or "://" in word


def _proxy(call: Call, arguments: Arguments) -> None:
    for value in arguments.values("-o"):
        name, _, text = value.partition("=")
        if name.strip().lower() in ("proxycommand", "localcommand", "knownhostscommand"):
            call.read_apart(text, [])


def _ssh(call: Call) -> str | None:
    """What is run there is another machine's matter."""
    arguments = parse(call.words, "-i -p -o -F -l -L -R -D -J -b -c -E -e -I -m -O -Q -S -W -w -B", first=True)
    _proxy(call, arguments)
    call.files("file.read", arguments.values("-F"))
    if arguments.operands:
        call.emit("network", url=known(arguments.operands[0]), method="SSH")
        if arguments.operands[0].rpartition("@")[2] in ("localhost", "127.0.0.1", "::1"):  # no other machine at all
            call.read_apart(" ".join(arguments.operands[1:]), [])
    return None


def _host(call: Call) -> str | None:
    arguments = parse(call.words, "-p -w -e -c -s -u -x -q -i --exec --sh-exec", first=True)
    for word in call.words if call.name == "socat" else ():
        kind, _, rest = word.partition(":")
        if kind.lower() in ("exec", "system", "shell"):
            call.read_apart(rest.split(",")[0], [])
    if call.name in ("nc", "ncat", "netcat") and (run := arguments.value("-e", "-c", "--exec", "--sh-exec")):
        call.read_apart(run, [])
    if arguments.operands:
        call.emit("network", url=known(":".join(arguments.operands[:2])), method=call.name.upper())
    return None


# program → subcommands that copy files between here and a place elsewhere
_CLOUDS: dict[str, tuple[str, ...]] = {
    "aws": ("s3 cp", "s3 mv", "s3 sync"), "gsutil": ("cp", "mv", "rsync"), "s3cmd": ("put", "get", "sync"),
    "gcloud": ("storage cp", "storage mv", "storage rsync", "compute scp"), "kubectl": ("cp",), "oc": ("cp", "rsync"),
    "rclone": ("copy", "copyto", "sync", "move", "moveto"),
}  # fmt: skip


def _cloud(call: Call) -> str | None:
    operands = parse(
        call.words, "-n --namespace -c --container --profile --region --config --exclude --include"
    ).operands
    count = next(
        (len(verb.split()) for verb in _CLOUDS[call.name] if f"{' '.join(operands)} ".startswith(f"{verb} ")), 0
    )
    if not count:
        return UNKNOWN
    sources, target = operands[count:-1], operands[-1]
    local = [word for word in sources if not _is_remote(word)]
    call.files("file.read", local)
    if sources and not _is_remote(target):
        call.files("file.write", [target])
    if operands[count - 1].startswith(("mv", "move")):
        call.files("file.delete", local)
    return UNKNOWN


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    "curl": _curl,
    "wget": _wget,
    **dict.fromkeys(("http", "https", "xh"), _httpie),
    **dict.fromkeys(_CLOUDS, _cloud),
    **dict.fromkeys(("scp", "rsync", "sftp"), _remote),
    **dict.fromkeys(("ssh", "mosh", "autossh"), _ssh),
    **dict.fromkeys(("nc", "ncat", "netcat", "telnet", "ftp", "lftp", "socat", "tftp"), _host),
}
