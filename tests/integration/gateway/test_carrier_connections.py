"""Carrier connections over HTTP."""

import pytest

from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration

BODY = {"name": "Trunk", "provider": "twilio", "allowedAddresses": ["192.0.2.0/24"]}
NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"


async def test_creates_and_lists_a_connection(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/carrier-connections", json=BODY)
    assert answer.status_code == 201
    made = answer.json()
    assert made == {
        "id": made["id"],
        "name": "Trunk",
        "provider": "twilio",
        "allowedAddresses": ["192.0.2.0/24"],
        "authUsername": None,
        "createdAt": made["createdAt"],
    }
    assert (await tenant.http.get("/v1/carrier-connections")).json()["data"] == [made]


async def test_never_returns_a_password(gateway: Gateway):
    tenant = await gateway.tenant()
    made = await tenant.connection(authUsername="carrier", authPassword="hunter2-hunter2")
    listed = await tenant.http.get("/v1/carrier-connections")
    assert made["authUsername"] == "carrier"
    assert "hunter2" not in str(made) + listed.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"provider": "two words"}, "provider"),
        ({"allowedAddresses": ["192.0.2.1/24"]}, "allowedAddresses.0"),
        ({"allowedAddresses": [5]}, "allowedAddresses.0"),
        ({"allowedAddresses": []}, "allowedAddresses"),
        ({"allowedAddresses": ["0.0.0.0/0"]}, "allowedAddresses.0"),
        ({"allowedAddresses": ["192.0.2.1", "128.0.0.0/1"]}, "allowedAddresses.1"),
        ({"allowedAddresses": ["::/0"]}, "allowedAddresses.0"),
        ({"allowedAddresses": ["::ffff:0:0/96"]}, "allowedAddresses.0"),
        ({"allowedAddresses": ["fe80::1%eth0"]}, "allowedAddresses.0"),
        ({"authUsername": "a\r\nb", "authPassword": "secret"}, "authUsername"),
        ({"authUsername": "carrier", "authPassword": "a\nb"}, "authPassword"),
        ({"authUsername": "carrier"}, "authPassword"),
        ({"authPassword": "secret"}, "authUsername"),
        ({"allowed_addresses": []}, "allowed_addresses"),
    ],
)
async def test_refuses_a_bad_connection(gateway: Gateway, change: dict[str, object], field: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/carrier-connections", json=BODY | change)
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == field
    assert (await tenant.http.get("/v1/carrier-connections")).json()["data"] == []


async def test_writes_networks_as_livekit_reads_them(gateway: Gateway):
    tenant = await gateway.tenant()
    written = ["198.51.100.0/255.255.255.0", "192.0.2.1/032", "192.0.2.9", "198.51.100.0/24"]
    made = await tenant.connection(allowedAddresses=written)
    assert made["allowedAddresses"] == ["198.51.100.0/24", "192.0.2.1/32", "192.0.2.9"]


async def test_a_password_may_guard_what_addresses_do_not(gateway: Gateway):
    tenant = await gateway.tenant()
    made = await tenant.connection(
        allowedAddresses=["0.0.0.0/0"], authUsername="carrier", authPassword="secret"
    )
    assert made["allowedAddresses"] == ["0.0.0.0/0"]


async def test_deletes_a_connection(gateway: Gateway):
    tenant = await gateway.tenant()
    made = await tenant.connection()
    at = f"/v1/carrier-connections/{made['id']}"
    assert (await tenant.http.delete(at)).status_code == 204
    assert error_of(await tenant.http.delete(at)) == (
        404,
        "NOT_FOUND",
        "Carrier connection not found.",
    )


async def test_keeps_a_connection_that_numbers_use(gateway: Gateway):
    tenant = await gateway.tenant()
    made = await tenant.connection()
    await tenant.number(connectionId=made["id"])
    answer = await tenant.http.delete(f"/v1/carrier-connections/{made['id']}")
    assert error_of(answer) == (
        409,
        "CONFLICT",
        "Numbers come in on this carrier connection; delete them first.",
    )


async def test_the_connection_of_another_project_is_not_found(gateway: Gateway):
    owner = await gateway.tenant()
    made = await owner.connection()
    neighbour = await gateway.tenant(organization_id=owner.organization_id)
    answer = await neighbour.http.delete(f"/v1/carrier-connections/{made['id']}")
    assert error_of(answer) == (404, "NOT_FOUND", "Carrier connection not found.")
    assert (await neighbour.http.get("/v1/carrier-connections")).json()["data"] == []


@pytest.mark.parametrize("given", [NOWHERE, "x"])
async def test_a_connection_that_is_not_there_is_not_found(gateway: Gateway, given: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.delete(f"/v1/carrier-connections/{given}")
    assert error_of(answer) == (404, "NOT_FOUND", "Carrier connection not found.")
