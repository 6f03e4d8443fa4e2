"""The admin API."""

import pytest

from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration

NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"


async def test_creates_an_organization(gateway: Gateway):
    answer = await gateway.admin.post("/admin/v1/organizations", json={"name": " Bakery "})
    assert answer.status_code == 201
    made = answer.json()
    assert made.keys() == {
        "id",
        "name",
        "balanceMicrocredits",
        "plan",
        "externalId",
        "limits",
        "createdAt",
    }
    assert (made["name"], made["balanceMicrocredits"]) == ("Bakery", 0)
    assert made["createdAt"].endswith("Z")


async def test_gets_an_organization(gateway: Gateway):
    made = (await gateway.admin.post("/admin/v1/organizations", json={"name": "A"})).json()
    answer = await gateway.admin.get(f"/admin/v1/organizations/{made['id']}")
    assert (answer.status_code, answer.json()) == (200, made)


async def test_lists_organizations_in_pages(gateway: Gateway):
    for name in ("A", "B", "C"):
        await gateway.admin.post("/admin/v1/organizations", json={"name": name})
    answer = await gateway.admin.get("/admin/v1/organizations", params={"page": 2, "limit": 2})
    assert [found["name"] for found in answer.json()["data"]] == ["A"]
    assert answer.json()["pagination"] == {"page": 2, "limit": 2, "total": 3, "totalPages": 2}


@pytest.mark.parametrize(("limit", "used"), [("0", 1), ("-5", 1), ("1000000", 100), (None, 20)])
async def test_brings_the_limit_within_its_range(gateway: Gateway, limit: str | None, used: int):
    params = {} if limit is None else {"limit": limit}
    answer = await gateway.admin.get("/admin/v1/organizations", params=params)
    assert answer.json()["pagination"]["limit"] == used


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", "9" * 30, "9" * 5_000])
async def test_refuses_a_page_that_cannot_be(gateway: Gateway, page: str):
    answer = await gateway.admin.get("/admin/v1/organizations", params={"page": page})
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "page"


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "name"), ({"name": " "}, "name"), ({"name": "x" * 101}, "name"), ({"name": 5}, "name")],
)
async def test_refuses_a_bad_organization(gateway: Gateway, body: object, field: str):
    answer = await gateway.admin.post("/admin/v1/organizations", json=body)
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_creates_and_lists_projects(gateway: Gateway):
    made = (await gateway.admin.post("/admin/v1/organizations", json={"name": "A"})).json()
    at = f"/admin/v1/organizations/{made['id']}/projects"
    answer = await gateway.admin.post(at, json={"name": "Reception"})
    assert answer.status_code == 201
    project = answer.json()
    assert project.keys() == {"id", "organizationId", "name", "createdAt"}
    assert (project["organizationId"], project["name"]) == (made["id"], "Reception")
    assert (await gateway.admin.get(at)).json()["data"] == [project]


async def test_adds_credits_once_for_each_operation(gateway: Gateway):
    tenant = await gateway.tenant()
    at = f"/admin/v1/organizations/{tenant.organization_id}"
    body = {"amountMicrocredits": 5_000_000, "reason": "Invoice 1", "operationId": "invoice-1"}
    first = await gateway.admin.post(f"{at}/credits", json=body)
    again = await gateway.admin.post(f"{at}/credits", json=body)
    assert (first.status_code, again.status_code) == (201, 201)
    made = first.json()
    assert made.keys() == {
        "id",
        "kind",
        "amountMicrocredits",
        "balanceMicrocredits",
        "reason",
        "operationId",
        "createdAt",
    }
    assert made == again.json()
    assert (made["kind"], made["balanceMicrocredits"]) == ("topup", 5_000_000)
    assert (await gateway.admin.get(at)).json()["balanceMicrocredits"] == 5_000_000
    assert (await tenant.http.get("/v1/credits")).json() == {"balanceMicrocredits": 5_000_000}


async def test_refuses_an_operation_repeated_with_another_amount(gateway: Gateway):
    tenant = await gateway.tenant()
    at = f"/admin/v1/organizations/{tenant.organization_id}/credits"
    await gateway.admin.post(at, json={"amountMicrocredits": 5, "operationId": "one"})
    answer = await gateway.admin.post(at, json={"amountMicrocredits": 6, "operationId": "one"})
    assert error_of(answer)[:2] == (409, "CONFLICT")


@pytest.mark.parametrize("amount", [0, -1, 10**13 + 1, 2**64, 1.5, "5", True, None])
async def test_refuses_an_amount_that_is_no_top_up(gateway: Gateway, amount: object):
    tenant = await gateway.tenant()
    answer = await gateway.admin.post(
        f"/admin/v1/organizations/{tenant.organization_id}/credits",
        json={"amountMicrocredits": amount},
    )
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "amountMicrocredits"
    assert (await tenant.http.get("/v1/credits")).json() == {"balanceMicrocredits": 0}


async def test_lists_the_ledger(gateway: Gateway):
    tenant = await gateway.tenant(credits_microcredits=7)
    answer = await gateway.admin.get(f"/admin/v1/organizations/{tenant.organization_id}/ledger")
    [entry] = answer.json()["data"]
    assert entry.keys() == {
        "id",
        "kind",
        "amountMicrocredits",
        "reason",
        "operationId",
        "callId",
        "createdAt",
    }
    assert (entry["kind"], entry["amountMicrocredits"], entry["callId"]) == ("topup", 7, None)


@pytest.mark.parametrize(
    "expires_at",
    [
        "9999-12-31T23:59:59-00:01",
        "2020-01-01T00:00:00Z",
        "2030-01-01T00:00:00",
        4_102_444_800,
        "4.1e9",
    ],
)
async def test_refuses_an_expiry_that_cannot_be(gateway: Gateway, expires_at: object):
    tenant = await gateway.tenant()
    at = f"/admin/v1/projects/{tenant.project_id}/keys"
    answer = await gateway.admin.post(at, json={"name": "late", "expiresAt": expires_at})
    status, code, message = error_of(answer)
    assert (status, code) == (400, "VALIDATION_ERROR")
    assert message.startswith("expiresAt")
    assert [key["name"] for key in (await gateway.admin.get(at)).json()["data"]] == ["tests"]


async def test_shows_a_key_only_when_it_is_made(gateway: Gateway):
    tenant = await gateway.tenant()
    at = f"/admin/v1/projects/{tenant.project_id}/keys"
    made = (await gateway.admin.post(at, json={"name": "second"})).json()
    listed = (await gateway.admin.get(at)).json()["data"]
    key = made.pop("key")
    assert key.startswith("pk_live_")
    assert made in listed
    assert made.keys() == {
        "id",
        "projectId",
        "name",
        "prefix",
        "hint",
        "createdAt",
        "expiresAt",
        "revokedAt",
        "revokedReason",
        "kind",
        "scopes",
        "allowedOrigins",
        "limits",
        "description",
        "metadata",
    }
    assert all(key not in str(found) for found in listed)


async def test_says_that_a_key_is_revoked(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await gateway.admin.post(f"/admin/v1/keys/{tenant.key_id}/revoke")
    assert answer.status_code == 200
    assert answer.json()["revokedAt"] is not None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "k", "prefix": "sk"}, "prefix"),
        ({"name": "k", "expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
        ({"name": "k", "expiresAt": "2101-01-01T00:00:00"}, "expiresAt"),
        ({"name": "k", "expires_at": None}, "expires_at"),
    ],
)
async def test_refuses_a_bad_key(gateway: Gateway, body: object, field: str):
    tenant = await gateway.tenant()
    answer = await gateway.admin.post(f"/admin/v1/projects/{tenant.project_id}/keys", json=body)
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == field


@pytest.mark.parametrize("given", [NOWHERE, "not-a-uuid"])
@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/admin/v1/organizations/{}", "Organization not found."),
        ("GET", "/admin/v1/organizations/{}/projects", "Organization not found."),
        ("POST", "/admin/v1/organizations/{}/projects", "Organization not found."),
        ("POST", "/admin/v1/organizations/{}/credits", "Organization not found."),
        ("GET", "/admin/v1/organizations/{}/ledger", "Organization not found."),
        ("POST", "/admin/v1/projects/{}/keys", "Project not found."),
        ("GET", "/admin/v1/projects/{}/keys", "Project not found."),
        ("POST", "/admin/v1/keys/{}/revoke", "Key not found."),
    ],
)
async def test_what_is_not_there_is_not_found(
    gateway: Gateway, method: str, path: str, message: str, given: str
):
    bodies = {"credits": {"amountMicrocredits": 1}, "revoke": None}
    body = bodies.get(path.rsplit("/", 1)[1], {"name": "x"}) if method == "POST" else None
    answer = await gateway.admin.request(method, path.format(given), json=body)
    assert error_of(answer) == (404, "NOT_FOUND", message)
