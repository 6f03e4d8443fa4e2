"""How the administration's routers are made."""

from fastapi import APIRouter, Security

from gateway.auth import AdminRoute, key_bearer, key_header
from gateway.schemas.errors import native_errors


def admin_router() -> APIRouter:
    """Return a router whose routes administrators and members may use."""
    return APIRouter(
        route_class=AdminRoute,
        tags=["Administration"],
        dependencies=[Security(key_header), Security(key_bearer)],
        responses=native_errors(400, 401),
    )
