"""The published description of the API.

`openapi.json` is what clients were promised: a change of it is a change of the API, to be seen in
review. `DIALPLANE_WRITE_SNAPSHOTS=1` writes it anew.
"""

import os
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.app import create_app
from gateway.faces import face_of

pytestmark = pytest.mark.integration

SNAPSHOT = Path(__file__).with_name("openapi.json")
METHODS = {"get", "post", "put", "patch", "delete"}


def never_opened() -> Any:
    raise AssertionError("describing the API opens nothing")


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return create_app(never_opened).openapi()


@pytest.fixture(scope="module")
def operations(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_the_api_is_the_one_that_was_published(description: dict[str, Any]):
    text = orjson.dumps(description, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    if os.environ.get("DIALPLANE_WRITE_SNAPSHOTS"):
        SNAPSHOT.write_bytes(text)
    assert orjson.loads(text) == orjson.loads(SNAPSHOT.read_bytes())


def test_every_operation_has_a_summary_and_a_description(
    operations: dict[str, dict[str, Any]],
):
    bare = [name for name, op in operations.items() if not (op["summary"] and op["description"])]
    assert bare == []


def test_the_operations_of_a_product_stand_under_its_name(operations: dict[str, dict[str, Any]]):
    wrong = []
    for name, operation in operations.items():
        [tag] = operation["tags"]
        product, colon, subject = tag.partition(": ")
        face = face_of(name.split(" ", 1)[1]).name
        ours = face in ("admin", "native")
        if (ours and colon) or (not ours and (product.lower() != face or not subject)):
            wrong.append(f"{name} {tag}")
    assert wrong == []


def test_every_body_of_a_request_has_an_example(
    description: dict[str, Any], operations: dict[str, dict[str, Any]]
):
    schemas = description["components"]["schemas"]
    bare = []
    for name, operation in operations.items():
        for kind, told in operation.get("requestBody", {}).get("content", {}).items():
            schema = told["schema"]
            references = [each.get("$ref", "") for each in (schema, *schema.get("anyOf", ()))]
            named = [schemas[each.rsplit("/", 1)[1]] for each in references if each]
            shown = "example" in told or any(each.get("examples") for each in named)
            # A form's file is whatever the client has.
            if not shown and kind != "multipart/form-data":
                bare.append(f"{name} {kind}")
    assert bare == []


def test_every_error_has_the_body_and_an_example_of_its_own_api(
    operations: dict[str, dict[str, Any]],
):
    owners: dict[str, set[str]] = {}
    wrong = []
    for name, operation in operations.items():
        for status, told in operation["responses"].items():
            if status.startswith(("1", "2", "3")) or "/readyz" in name:
                continue
            content = told["content"].get("application/json", {"schema": {}})
            reference = content.get("schema", {}).get("$ref", "")
            if reference:
                owners.setdefault(face_of(name.split()[1]).name, set()).add(reference)
            if status != "default" and "example" not in content and "examples" not in content:
                wrong.append(f"{name} {status}")
    assert wrong == []
    assert {name: len(references) for name, references in owners.items()} == dict.fromkeys(
        ("native", "admin", "agntix", "talkifai", "voxai"), 1
    )
    talkifai, voxai, ours = owners["talkifai"], owners["voxai"], owners["native"]
    assert len(talkifai | voxai | ours) == 3


def test_every_operation_of_a_tenant_documents_how_it_fails(
    operations: dict[str, dict[str, Any]],
):
    for name, operation in operations.items():
        if "/v1/" in name:
            assert "401" in operation["responses"], name
            # TalkifAI has another status for a chat that cannot be ended.
            assert {"500", "503"} & operation["responses"].keys(), name
            assert operation["security"], name
        # Secrets of a provider are made by the same request that changes them.
        if "{" in name and name != "PUT /v1/secrets/{provider}":
            assert "404" in operation["responses"], name
        if "requestBody" in operation and "webhooks" not in name:
            assert "400" in operation["responses"], name


def test_nothing_is_answered_with_fastapis_own_error(operations: dict[str, dict[str, Any]]):
    assert [name for name, op in operations.items() if "422" in op["responses"]] == []


def test_no_two_paths_differ_only_in_a_parameters_name(description: dict[str, Any]):
    shapes = [re.sub(r"{[^}]*}", "{}", path) for path in description["paths"]]
    assert len(shapes) == len(set(shapes))


def test_what_a_patch_leaves_out_has_no_default(description: dict[str, Any]):
    schemas = description["components"]["schemas"]
    for name in ("AgentPatch", "PhoneNumberPatch"):
        properties = schemas[name]["properties"]
        assert [field for field, schema in properties.items() if "default" in schema] == []


def test_every_body_that_can_be_too_long_says_so(operations: dict[str, dict[str, Any]]):
    bodies = {name: op["responses"] for name, op in operations.items() if "requestBody" in op}
    assert [name for name, answers in bodies.items() if "413" not in answers] == []


def test_every_request_that_may_be_repeated_says_what_becomes_of_its_key(
    operations: dict[str, dict[str, Any]],
):
    silent = [
        name
        for name, operation in operations.items()
        if name.startswith("POST")
        and operation.get("security")
        # An upload is repeated by its bytes.
        and "multipart/form-data" not in operation.get("requestBody", {}).get("content", {})
        and not {"400", "409", "413"} <= operation["responses"].keys()
    ]
    assert silent == []


def test_every_401_says_how_to_authenticate(operations: dict[str, dict[str, Any]]):
    refusals = [op["responses"].get("401") for op in operations.values()]
    assert all("WWW-Authenticate" in refusal["headers"] for refusal in refusals if refusal)
