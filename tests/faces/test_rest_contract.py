"""Whatever is sent to an address, it answers as /openapi.json says, and never with an internal error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from rest_place import serving
from scene import configure, copy_repository
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from llmgenie_mcp import Engine
from llmgenie_mcp.faces.rest import create_app

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = int(os.environ.get("LLMGENIE_EXAMPLES", "15"))
ENDLESS = "/events"
CONTRACT = schemathesis.openapi.from_dict(create_app().openapi()).exclude(path=ENDLESS)
OPERATIONS = {operation.ok().label: operation.ok() for operation in CONTRACT.get_all_operations()}


@pytest.fixture(scope="module")
def address(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server of a project is that has a little of everything."""
    repo = copy_repository(template, tmp_path_factory.mktemp("contract") / "demo")
    configure(repo, rest={"per_minute": 1_000_000})
    with Engine.open(repo) as engine, serving(create_app(engine=engine, dispatcher=False)) as client:
        engine.run_action("create_task", {"title": "Log in"})
        engine.run_action("record_note", {"key": "plan", "value": {"text": "Log in first."}})
        yield str(client.base_url)


@pytest.mark.filterwarnings(
    "ignore::hypothesis.errors.HypothesisDeprecationWarning"
)  # the server, a thread, uses random
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_one_that_the_contract_names(label: str, mode: GenerationMode, address: str) -> None:
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        answer = case.call(base_url=address, timeout=20)
        assert answer.status_code != 429
        case.validate_response(answer, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing that one could send there does not fit
