"""schemathesis holds the sandbox against the broker's published specification (v0.7.0), operation by operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi

from pipelines.sandbox.app import ROUTES
from pipelines.sandbox.server import Sandbox

SPECIFICATION = Path(__file__).parents[2].parent / "shared" / "openapi" / "clear-street-v0.7.0.json"
KEY = {"Authorization": "Bearer any"}
CONFORMS = [
    checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
]
REFUSES = [*CONFORMS, openapi.negative_data_rejection]
# What a fuzzer never guesses: names that exist. Half of the requests get one, so that they reach further than a 403.
KNOWN: dict[str, list[Any]] = {"account_id": [20517, 20518, 205170], "instrument_id": ["AAPL", "IBM   050219C00090000"]}
NOTHING_TO_GET_WRONG = ("/v1/version", "/v1/clock")
# The specification declares few of these for reads, but a broker has to answer something.
UNDECLARED = ("400", "401", "403", "404", "422")


@pytest.fixture(scope="module")
def specification() -> Any:
    if not SPECIFICATION.exists():
        pytest.skip(f"the specification is not here: {SPECIFICATION}")
    raw = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    raw["security"] = []  # every request below carries a key: what happens without one is tested with the SDK
    for _, path, _ in ROUTES:
        for operation in raw["paths"][path].values():
            if isinstance(operation, dict) and "responses" in operation:
                _declare_errors(operation["responses"])
    return schemathesis.openapi.from_dict(raw)


def _declare_errors(responses: dict[str, Any]) -> None:
    """Errors as the specification's own 83 examples have them: in an envelope, not bare as its schemas say."""
    envelope = {
        "type": "object",
        "required": ["error", "metadata"],
        "properties": {
            "error": {"$ref": "#/components/schemas/ApiError"},
            "metadata": {"$ref": "#/components/schemas/ResponseMetadata"},
        },
    }
    rows = [status for status, response in responses.items() if "BaseResponse" in json.dumps(response)]
    for status in {*UNDECLARED, *responses} - set(rows):
        responses[status] = {"description": "an error", "content": {"application/json": {"schema": envelope}}}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        running.clock.set(running.after_close(running.days[8]))
        yield running


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        pytest.param(method, path, mode, id=f"{mode.value}-{method}-{path}")
        for method, path, _ in ROUTES
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or path not in NOTHING_TO_GET_WRONG
    ],
)
def test_answers_are_what_the_specification_says(
    specification: Any, sandbox: Sandbox, method: str, path: str, mode: GenerationMode
) -> None:
    operation = specification[path][method]

    @settings(
        max_examples=20,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def check(case: Any, data: st.DataObject) -> None:
        if mode is GenerationMode.POSITIVE:
            for name in KNOWN.keys() & case.path_parameters.keys():
                if data.draw(st.booleans(), label=f"known {name}"):
                    case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
        # A parameter that nobody knows is ignored, and nobody says that it shouldn't be.
        assume(set(case.query or {}) <= {parameter.name for parameter in operation.query})
        response = case.call(base_url=sandbox.url, headers=KEY)
        case.validate_response(response, checks=CONFORMS if mode is GenerationMode.POSITIVE else REFUSES, headers=KEY)

    check()


def test_the_check_can_fail(specification: Any, sandbox: Sandbox) -> None:
    operation = specification["/v1/clock"]["GET"]
    case = operation.Case()
    response = case.call(base_url=sandbox.url, headers=KEY)
    response.content = response.content.replace(b'"clock"', b'"time"')
    with pytest.raises((FailureGroup, AssertionError)):
        case.validate_response(response, checks=CONFORMS)
