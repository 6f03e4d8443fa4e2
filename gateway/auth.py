"""Who is asking: a project by its API key, or the installation's administrator by theirs.

Credentials are checked before the body is read, so that nobody unknown makes the gateway read or
parse anything. FastAPI reads bodies before dependencies run; hence route classes.
"""

import hmac
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final

from fastapi import Request, Security, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.responses import Response

from dispatch.accounts import Principal, Scope
from gateway.json_requests import JsonRequest
from gateway.services import services_of

_BEARER: Final = "bearer "

key_header = APIKeyHeader(
    name="x-api-key", scheme_name="ApiKey", description="The project's key.", auto_error=False
)
key_bearer = HTTPBearer(
    scheme_name="Bearer", description="The same key as a bearer token.", auto_error=False
)


class GatewayError(Exception):
    """Base of what the gateway itself refuses."""


class Unauthenticated(GatewayError):
    """The key is missing, malformed, unknown, revoked or expired; which one is not told."""

    def __init__(self) -> None:
        super().__init__("Authentication required.")


class Forbidden(GatewayError):
    """The credential is good but does not allow this."""


_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class RequiredScope:
    """Says on a route which scope it asks for; the route checks it before it reads the body."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self) -> None:
        """Do nothing: `TenantRoute` has checked."""


def requires(scope: Scope) -> params.Depends:
    """Return the dependency with which a route asks for a scope.

    `@router.get("/v1/agents", dependencies=[requires(Scope.AGENTS_READ)])`
    """
    return params.Depends(RequiredScope(scope))


class ApiRoute(APIRoute):
    """A route whose JSON is read strictly, after `authenticate` has agreed."""

    knows_its_parameters: ClassVar[bool] = False
    """Whether a query parameter it does not know is an error. The products' published APIs ignore
    such parameters, and clients of theirs may send some."""

    async def authenticate(self, request: Request) -> None:
        """Let the request in, or raise `Unauthenticated`. Anybody may come in here."""

    def get_route_handler(self) -> _Handler:
        """Return the route's handler, with authentication and the strict parser before it."""
        serve = super().get_route_handler()

        async def handle(request: Request) -> Response:
            await self.authenticate(request)
            if self.knows_its_parameters:
                self._refuse_unknown_parameters(request)
            json_request = JsonRequest(request.scope, request.receive)
            if self.body_field is not None and not self._takes_files:
                await json_request.refuse_nul()
            return await serve(json_request)

        return handle

    @cached_property
    def _takes_files(self) -> bool:
        """Whether the body is a form, which may hold more than fits into memory."""
        return self.body_field is not None and isinstance(self.body_field.field_info, params.Form)

    @cached_property
    def _parameters(self) -> frozenset[str]:
        """Names of the query parameters, those of dependencies too."""
        known = get_flat_params(self.dependant)
        return frozenset(each.alias for each in known if isinstance(each.field_info, params.Query))

    def _refuse_unknown_parameters(self, request: Request) -> None:
        """Check that no parameter was misspelt: a filter that is ignored shows too much."""
        unknown = [name for name in request.query_params if name not in self._parameters]
        if unknown:
            raise RequestValidationError(
                [
                    {"type": "unknown_parameter", "loc": ("query", name), "msg": ""}
                    for name in unknown
                ]
            )


class TenantRoute(ApiRoute):
    """A route for the holder of a project's key, which must have the scopes it `requires`."""

    @cached_property
    def scopes(self) -> frozenset[Scope]:
        """What a caller must be allowed to do."""
        required = (each.dependency for each in self.dependencies)
        return frozenset(each.scope for each in required if isinstance(each, RequiredScope))

    async def authenticate(self, request: Request) -> None:
        """Find the key's project and keep it for `CurrentPrincipal`."""
        key = presented_key(request)
        if not key:
            raise Unauthenticated
        principal = await services_of(request).tenants.authenticate(key)
        if principal is None:
            raise Unauthenticated
        lacking = self.scopes - principal.scopes
        if lacking:
            raise Forbidden(f"This key lacks the scope {min(lacking)}.")
        request.state.principal = principal


class NativeRoute(TenantRoute):
    """A tenant's route of our own API."""

    knows_its_parameters = True


class AdminRoute(ApiRoute):
    """A route for the installation's administrator."""

    knows_its_parameters = True

    async def authenticate(self, request: Request) -> None:
        """Compare the key in constant time."""
        expected = services_of(request).settings.dialplane_admin_key.get_secret_value()
        presented = presented_key(request)
        if not hmac.compare_digest(presented.encode(), expected.encode()):
            raise Unauthenticated


def presented_key(request: Request) -> str:
    """Return the key from `x-api-key` or `Authorization: Bearer`, empty when there is none."""
    key = request.headers.get("x-api-key")
    if key is not None:
        return key.strip()
    authorization = request.headers.get("authorization", "")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    return ""


async def current_principal(request: Request) -> Principal:
    """Return who holds the key with which this request came."""
    principal: Principal = request.state.principal
    return principal


CurrentPrincipal = Annotated[Principal, Security(current_principal)]
