"""Spans of OpenTelemetry: there where a program has set it up, and no work where none has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from scene import PYTHON

SPANS = """
import sys
from contextlib import contextmanager
from opentelemetry import trace
from llmgenie_mcp import Engine

told = []

class Span(trace.NonRecordingSpan):
    def is_recording(self): return True
    def set_attributes(self, given): told.append(given)

class Tracer(trace.NoOpTracer):
    @contextmanager
    def start_as_current_span(self, name, *words, **more):
        told.append(name)
        yield Span(trace.INVALID_SPAN_CONTEXT)

class Provider(trace.TracerProvider):
    def get_tracer(self, *words, **more): return Tracer()

def forbidden(*words, **more): raise AssertionError("nobody set it up")

trace.ProxyTracerProvider.get_tracer = forbidden
with Engine.open(sys.argv[1]) as engine:
    engine.update_context("notes/x", 1)
    assert told == []
    trace.set_tracer_provider(Provider())
    engine.update_context("notes/x", 2)
for one in told: print(one)
"""


def test_calls_are_spans_from_when_a_program_sets_a_tracer_up(repo: Path) -> None:
    pytest.importorskip("opentelemetry.trace")
    done = subprocess.run([PYTHON, "-c", SPANS, str(repo)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "llmgenie.update_context",
        "llmgenie.run_action",
        str({"llmgenie.verb": "run_action", "llmgenie.name": "record_note", "llmgenie.status": "ok"}),
        str({"llmgenie.verb": "update_context", "llmgenie.name": "notes/x", "llmgenie.status": "ok"}),
    ]
