"""Knowledge bases and documents over HTTP."""

import uuid

import pytest

from dispatch.knowledge_base import MAX_DOCUMENT_BYTES
from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

BODY = {"name": "Handbook", "description": "All we know."}


async def made(tenant: Tenant, **fields: object) -> str:
    """Create a knowledge base and return its path."""
    answer = await tenant.http.post("/v1/knowledge-bases", json=BODY | fields)
    assert answer.status_code == 201, answer.text
    return f"/v1/knowledge-bases/{answer.json()['id']}"


def a_file(data: bytes = b"We open at seven.", name: str = "hours.txt") -> dict[str, object]:
    """Return a form with a file."""
    return {"file": (name, data, "application/octet-stream")}


async def test_a_knowledge_base_is_created_shown_changed_and_deleted(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    path = await made(tenant, embedding={"model": "text-embedding-3-small"})
    shown = (await tenant.http.get(path)).json()
    assert shown["embedding"] == {
        "provider": "openai",
        "model": "text-embedding-3-small",
        "baseUrl": None,
    }
    assert (shown["number"], shown["language"], shown["dimensions"]) == (1, "english", None)
    changed = await tenant.http.patch(path, json={"name": "Manual", "embedding": None})
    assert changed.json() | {"updatedAt": ""} == shown | {
        "name": "Manual",
        "embedding": None,
        "updatedAt": "",
    }
    listed = (await tenant.http.get("/v1/knowledge-bases")).json()
    assert [each["name"] for each in listed["data"]] == ["Manual"]
    assert (await tenant.http.delete(path)).status_code == 204
    assert (await tenant.http.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"language": "klingon"}, "language"),
        ({"embedding": {"provider": "Open AI", "model": "x"}}, "embedding.provider"),
        ({"embedding": {"model": "x", "baseUrl": "file:///etc"}}, "embedding.baseUrl"),
        ({"chunkSize": 5}, "chunkSize"),
    ],
)
async def test_a_wrong_field_is_named(gateway: Gateway, fields, field) -> None:
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/knowledge-bases", json=BODY | fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_a_document_is_uploaded_once_and_waits_for_its_turn(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    path = await made(tenant)
    first = await tenant.http.post(f"{path}/documents", files=a_file())
    again = await tenant.http.post(f"{path}/documents", files=a_file(name="copy.txt"))
    assert (first.status_code, again.status_code) == (201, 200)
    document = first.json()
    assert again.json() == document
    assert (document["status"], document["progress"]) == ("uploaded", 0)
    assert (document["name"], document["format"], document["sizeBytes"]) == (
        "hours.txt",
        "text",
        17,
    )
    listed = (await tenant.http.get(f"{path}/documents")).json()
    assert listed["data"] == [document]
    one = f"{path}/documents/{document['id']}"
    assert (await tenant.http.get(one)).json() == document
    assert (await tenant.http.delete(one)).status_code == 204
    assert (await tenant.http.get(one)).status_code == 404


async def test_an_upload_may_be_repeated_with_an_idempotency_key(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    path = f"{await made(tenant)}/documents"
    key = {"Idempotency-Key": "upload-1"}
    first = await tenant.http.post(path, files=a_file(), headers=key)
    again = await tenant.http.post(path, files=a_file(), headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"files": a_file(name="virus.exe")}, "PDF, DOCX, Markdown, TXT, CSV and HTML are read"),
        ({"files": a_file(b"")}, "The file is empty."),
        ({"data": {"file": "text"}}, "file"),
        ({"json": {"file": "text"}}, "file is required."),
    ],
)
async def test_what_is_no_document_is_refused(gateway: Gateway, form, message) -> None:
    tenant = await gateway.tenant()
    answer = await tenant.http.post(f"{await made(tenant)}/documents", **form)
    status, code, said = error_of(answer)
    assert (status, code) == (400, "VALIDATION_ERROR")
    assert message in said
    assert answer.json()["error"]["details"][0]["field"] == "file"


async def test_fifty_megabytes_are_taken_and_one_byte_more_is_not(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    path = f"{await made(tenant)}/documents"
    data = b"x" * MAX_DOCUMENT_BYTES
    taken = await tenant.http.post(path, files=a_file(data))
    assert (taken.status_code, taken.json()["sizeBytes"]) == (201, MAX_DOCUMENT_BYTES)
    refused = await tenant.http.post(path, files=a_file(data + b"x"))
    assert error_of(refused) == (
        413,
        "PAYLOAD_TOO_LARGE",
        "A document has at most 50 MB; upload it in parts.",
    )
    beyond = await tenant.http.post(path, files=a_file(data + b"x" * 200_000))
    assert error_of(beyond)[:2] == (413, "PAYLOAD_TOO_LARGE")


async def test_only_uploads_may_be_that_long(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    path = await made(tenant)
    for other in ("/v1/knowledge-bases", f"{path}/search", f"{path}/documents/"):
        answer = await tenant.http.post(other, json={"query": "x" * 2_000_000})
        assert answer.status_code in {404, 413}, other


async def test_a_search_says_that_it_knew_words_only(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    answer = await tenant.http.post(f"{await made(tenant)}/search", json={"query": "hours"})
    assert answer.json() == {
        "mode": "text",
        "note": "The knowledge base has no embedding model.",
        "hits": [],
    }


@pytest.mark.parametrize("top_k", [0, 51])
async def test_nobody_is_given_more_than_fifty_hits(gateway: Gateway, top_k) -> None:
    tenant = await gateway.tenant()
    answer = await tenant.http.post(
        f"{await made(tenant)}/search", json={"query": "hours", "topK": top_k}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "topK"


async def test_another_tenants_knowledge_is_not_there(gateway: Gateway) -> None:
    tenant, stranger = await gateway.tenant(), await gateway.tenant()
    path = await made(tenant)
    document = (await tenant.http.post(f"{path}/documents", files=a_file())).json()["id"]
    own = await made(stranger)
    for method, at, body in (
        ("GET", path, {}),
        ("PATCH", path, {"json": {"name": "Mine"}}),
        ("DELETE", path, {}),
        ("POST", f"{path}/search", {"json": {"query": "seven"}}),
        ("GET", f"{path}/documents", {}),
        ("POST", f"{path}/documents", {"files": a_file()}),
        ("GET", f"{path}/documents/{document}", {}),
        ("GET", f"{own}/documents/{document}", {}),
        ("DELETE", f"{path}/documents/{document}", {}),
        ("DELETE", f"{own}/documents/{document}", {}),
    ):
        answer = await stranger.http.request(method, at, **body)
        assert answer.status_code == 404, (method, at)
    assert (await tenant.http.get(f"{path}/documents/{document}")).status_code == 200


async def test_who_may_not_handle_secrets_sends_no_key_to_a_server_of_their_own(
    gateway: Gateway,
) -> None:
    tenant = await gateway.tenant()
    header = await tenant.key_with(gateway.admin, "knowledge:read", "knowledge:write")
    elsewhere = {"model": "m", "baseUrl": "https://evil.example/v1"}
    refusal = (
        403,
        "FORBIDDEN",
        "A model at a base URL is sent the project's key, so it needs the scope secrets:write.",
    )
    body = BODY | {"embedding": elsewhere}
    refused = await tenant.http.post("/v1/knowledge-bases", json=body, headers=header)
    assert error_of(refused) == refusal
    path = await made(tenant, embedding=elsewhere)
    renamed = await tenant.http.patch(path, json={"name": "Renamed"}, headers=header)
    assert renamed.status_code == 200
    again = await tenant.http.patch(
        path, json={"embedding": elsewhere | {"model": "n"}}, headers=header
    )
    assert again.status_code == 200
    change = {"embedding": elsewhere | {"baseUrl": "https://worse.example/v1"}}
    refused = await tenant.http.patch(path, json=change, headers=header)
    assert error_of(refused) == refusal


async def test_the_administrator_manages_every_projects_knowledge(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    at = f"/admin/v1/projects/{tenant.project_id}/knowledge-bases"
    made_there = (await gateway.admin.post(at, json=BODY)).json()
    assert (await tenant.http.get(f"/v1/knowledge-bases/{made_there['id']}")).json() == made_there
    path = f"{at}/{made_there['id']}"
    uploaded = await gateway.admin.post(f"{path}/documents", files=a_file())
    assert uploaded.status_code == 201
    one = f"{path}/documents/{uploaded.json()['id']}"
    assert (await gateway.admin.get(one)).json() == uploaded.json()
    assert (await gateway.admin.get(f"{path}/documents")).json()["data"] == [uploaded.json()]
    found = await gateway.admin.post(f"{path}/search", json={"query": "hours"})
    assert found.json()["mode"] == "text"
    patched = await gateway.admin.patch(path, json={"name": "Manual"})
    assert patched.json()["name"] == "Manual"
    assert (await gateway.admin.get(path)).json() == patched.json()
    assert (await gateway.admin.get(at)).json()["data"] == [patched.json()]
    assert (await gateway.admin.delete(one)).status_code == 204
    assert (await gateway.admin.delete(path)).status_code == 204
    nowhere = f"/admin/v1/projects/{uuid.uuid4()}/knowledge-bases"
    assert (await gateway.admin.post(nowhere, json=BODY)).status_code == 404
    assert (await gateway.admin.get(nowhere)).status_code == 404
