"""What a key may not do, in the words of each API; and that every route asks."""

import pytest
from fastapi.routing import APIRoute

from dispatch.accounts import Scope
from gateway.auth import AdminRoute, ApiRoute, TenantRoute
from gateway.faces import FACES
from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration

ROUTES = [
    (face.name, route) for face in FACES for router in face.routers for route in router.routes
]


def test_every_route_of_a_tenant_asks_for_a_scope():
    tenants = [route for _, route in ROUTES if isinstance(route, TenantRoute)]
    assert len(tenants) > 30
    assert [route.path for route in tenants if not route.scopes] == []


def test_what_only_reads_asks_for_no_more_than_reading():
    greedy = [
        route.path
        for _, route in ROUTES
        if isinstance(route, TenantRoute)
        and route.methods == {"GET"}
        and not all(scope.endswith(":read") for scope in route.scopes)
        # `secrets:read` shows them in clear text; to see which there are, one must keep them.
        and route.scopes != {Scope.SECRETS_WRITE}
    ]
    assert greedy == []


def test_every_path_under_admin_is_guarded():
    under_admin = [
        route
        for _, route in ROUTES
        if isinstance(route, APIRoute) and route.path.startswith("/admin/")
    ]
    assert all(isinstance(route, AdminRoute) for route in under_admin)


def test_routes_that_anybody_may_use_are_few_and_known():
    anybody = {
        route.path
        for _, route in ROUTES
        if isinstance(route, APIRoute)
        and not isinstance(route, TenantRoute | AdminRoute)
        # Routes with another credential of their own check it in `authenticate`.
        and (not isinstance(route, ApiRoute) or type(route).authenticate is ApiRoute.authenticate)
    }
    assert anybody <= {"/webhooks/livekit", "/healthz", "/readyz"}


async def test_a_lacking_scope_is_named(gateway: Gateway):
    tenant = await gateway.tenant(scopes=["calls:read"])
    native = await tenant.http.get("/v1/agents")
    agntix = await tenant.http.get("/v1/chat/phone-numbers")
    voxai = await tenant.http.get("/api/v1/agents")
    talkifai = await tenant.http.post("/v1/chat/voice-sessions", json={"agent_id": "x"})
    lacks = "This key lacks the scope {}."
    assert error_of(native) == (403, "FORBIDDEN", lacks.format(Scope.AGENTS_READ))
    assert error_of(agntix) == (403, "FORBIDDEN", lacks.format(Scope.NUMBERS_READ))
    assert (voxai.status_code, voxai.json()) == (
        403,
        {"error": lacks.format(Scope.AGENTS_READ), "code": "FORBIDDEN"},
    )
    assert (talkifai.status_code, talkifai.json()) == (
        403,
        {"detail": lacks.format(Scope.VOICE_WRITE)},
    )
    assert (await tenant.http.get("/v1/calls")).status_code == 200


async def test_the_body_of_who_may_not_is_not_looked_at(gateway: Gateway):
    tenant = await gateway.tenant(scopes=["calls:read"])
    answer = await tenant.http.post("/v1/agents", content=b"{not json")
    assert answer.status_code == 403


async def test_scopes_taken_away_are_gone_at_once(gateway: Gateway):
    tenant = await gateway.tenant()
    assert (await tenant.http.get("/v1/agents")).status_code == 200
    at = f"/admin/v1/keys/{tenant.key_id}"
    await gateway.admin.patch(at, json={"scopes": ["calls:read"]})
    assert (await tenant.http.get("/v1/agents")).status_code == 403
    await gateway.admin.patch(at, json={"scopes": None})
    assert (await tenant.http.get("/v1/agents")).status_code == 200
