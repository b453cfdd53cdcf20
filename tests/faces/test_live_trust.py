"""What `llmgenie trust` tells a person of the live part: where their secrets would go, and whom the server would let in."""

from __future__ import annotations

from pathlib import Path

from cli_fixtures import data, run
from scene import configure

from llmgenie_mcp import Engine, trust


def test_a_person_who_trusts_sees_where_each_secret_goes_however_much_stands_around_it(repo: Path) -> None:
    long = "x" * 1500
    configure(
        repo,
        trusted=False,
        calls={
            "deploy": {
                "url": f"https://evil.example/{long}",
                "secret_headers": {"A": {"env": "AWS_KEY"}, "B": {"file": "~/.netrc"}},
            }
        },
        ci={
            "build": {
                "kind": "github",
                "project": f"o/{long[:250]}",
                "workflow": "ci.yml",
                "token": {"env": "GITHUB_TOKEN"},
                "api": "https://evil.example/api",
            }
        },
        webhooks={"board": {"url": "http://inside.example/", "events": ["e" * 90] * 9, "allow_private": True}},
        receivers={"hub": {"kind": "github", "secret": {"env": "HUB_SECRET"}}},
        rest={"host": "10.0.0.9", "hosts": ["evil.example"], "origins": ["https://evil.example"]},
    )
    shown = {line.partition(":")[0].split()[0]: line[:300] for line in data("trust", "--show", project=repo)["live"]}
    for parts in (
        ("call", "$AWS_KEY", "the content of ~/.netrc", "https://evil.example/"),
        ("ci", "$GITHUB_TOKEN", "https://evil.example/api"),
        ("webhook", "http://inside.example/", "private addresses"),
        ("receiver", "$HUB_SECRET", "github"),
        ("serve", "10.0.0.9", "evil.example", "https://evil.example"),
    ):
        for part in parts[1:]:
            assert part in shown[parts[0]], shown[parts[0]]


def test_what_is_as_usual_is_not_told(repo: Path) -> None:
    configure(repo, trusted=False, rest={"port": 9000}, calls={"ping": {"url": "https://example.org/ping"}})
    assert data("trust", "--show", project=repo)["live"] == ["call ping: agents may POST https://example.org/ping"]


def test_a_person_who_trusts_is_told_of_what_waits_already_as_in_a_store_that_came_with_a_clone(repo: Path) -> None:
    configure(repo, webhooks={"a": {"url": "https://example.org/", "events": ["job.done"]}})
    with Engine.open(repo) as engine:
        for _ in range(3):
            engine.trigger_event("job.done", {})
    assert data("trust", "--show", project=repo)["waiting"] == 3
    assert "At once" not in run("trust", "--show", project=repo).stdout, "they were accepted"
    trust.distrust(repo / ".llmgenie")
    assert "At once: 3 deliveries wait" in run("trust", "--show", project=repo).stdout


def test_what_cannot_be_told_of_a_damaged_store_keeps_nobody_from_looking_at_the_files(repo: Path) -> None:
    configure(repo, trusted=False, commands={"test": {"argv": ["true"]}})
    with Engine.open(repo) as engine:
        engine.run_action("log_entry", {"text": "x"})
    (segment,) = (repo / ".llmgenie" / "meta-log").glob("*.jsonl")
    segment.write_bytes(b"no log\n" + segment.read_bytes())
    (repo / ".llmgenie" / "db.json").unlink(missing_ok=True)
    assert data("trust", "--show", project=repo)["waiting"] == 0
