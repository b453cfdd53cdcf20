"""Lines of the log for people: the time alone for those of today, the date with it for older ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from llmgenie_mcp.faces.cli_text import log_line


def test_a_line_of_another_day_tells_its_date() -> None:
    now = datetime.now(UTC)
    for moment, shown in (
        (now, f"{now:%H:%M:%S}"),
        (now - timedelta(days=3), f"{now - timedelta(days=3):%Y-%m-%d %H:%M:%S}"),
    ):
        entry = {
            "seq": 1,
            "ts": f"{moment:%Y-%m-%dT%H:%M:%S}.5Z",
            "actor": {"kind": "human", "id": "ada"},
            "type": "x.y",
        }
        assert log_line(entry) == f"#1 {shown} human:ada - x.y"
