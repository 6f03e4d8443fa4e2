"""Everything the description allows, and much that it does not, is answered as described.

Every operation is asked with data made from its own schema, right and wrong, by one who may do
everything. A few examples each in `make test`; `make fuzz` takes many
(`DIALPLANE_FUZZ_EXAMPLES`).
"""

import os
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    positive_data_acceptance,
    unsupported_method,
)

from gateway.app import create_app
from tests.fuzz.beyond_schemas import is_beyond_its_schema
from tests.fuzz.conftest import PATIENCE_S, Target
from tests.fuzz.existing_things import lot_of, name_existing_things

pytestmark = pytest.mark.integration

EXAMPLES: Final = int(os.environ.get("DIALPLANE_FUZZ_EXAMPLES", "1"))
ONE_OF: Final = 4 if EXAMPLES == 1 else 1
"""How many of the systematic cases (each boundary of each field) make for one that is sent."""

NOT_CHECKED: Final[dict[str, tuple[tuple[Any, ...], str]]] = {
    "GET /readyz": (
        (not_a_server_error,),
        "No worker and no dispatch runs here, which it tells by the 503 it documents.",
    ),
    "POST /v1/chat/phone-numbers/map-agent": (
        (unsupported_method, allow_header_conformance),
        "With PATCH, GET or DELETE the last part of the path is a number (that does not exist).",
    ),
}
"""Checks that are wrong for an operation, and why."""


def _never_opened() -> Any:
    raise AssertionError("describing the API opens nothing")


schema = schemathesis.openapi.from_dict(create_app(_never_opened).openapi())


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    # An example that fails is told as it is: making it smaller takes longer than reading it.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_answers_as_described(case: schemathesis.Case[Any], target: Target):
    if not is_left_out(case):
        ask(case, target)


def is_left_out(case: schemathesis.Case[Any]) -> bool:
    """Whether a case waits for `make fuzz`; which ones do is always the same."""
    if ONE_OF == 1 or case.meta is None or case.meta.phase.name != TestPhase.COVERAGE:
        return False
    lot = lot_of(case.method, case.query, case.body, case.path_parameters, case.headers)
    return lot % ONE_OF != 0


def ask(case: schemathesis.Case[Any], target: Target) -> None:
    """Send one request and check what is answered."""
    headers = credentials(case, target)
    # What is judged is what is sent: a case that leaves the credential out is sent with one, and
    # else would be taken for wrong when only a parameter is made up, which some APIs ignore.
    case.headers.update(headers)
    how: dict[str, Any] = {"base_url": target.url, "headers": headers, "timeout": PATIENCE_S}
    response = case.call(**how)
    excluded = list(NOT_CHECKED.get(case.operation.label, ((), ""))[0])
    if is_beyond_its_schema(response):
        excluded.append(positive_data_acceptance)
    case.validate_response(
        response,
        excluded_checks=excluded,
        headers=headers,
        transport_kwargs=how,
    )


def credentials(case: schemathesis.Case[Any], target: Target) -> dict[str, str]:
    """Let the case name things that exist, half of the time; return who may ask for them."""
    chat_token = name_existing_things(case, target)
    if case.path.startswith("/admin/"):
        return {"x-api-key": "admin-key-of-the-tests"}
    if case.path.startswith("/v1/chat/sessions/"):
        return {"Authorization": f"Bearer {chat_token or target.things.chat_token}"}
    return {"x-api-key": target.tenant_key}
