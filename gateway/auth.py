"""Who is asking: a project by its API key, a user by their token, or the administrator.

Credentials are checked before the body is read, so that nobody unknown makes the gateway read or
parse anything. FastAPI reads bodies before dependencies run; hence route classes.
"""

import hmac
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final

from fastapi import Request, Security, params
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope as ASGIScope

from dispatch.access.authentication import Caller, Member
from dispatch.access.origins import is_allowed
from dispatch.access.rate_limits import RateState
from dispatch.access.reach import EVERYWHERE, Reach
from dispatch.accounts import ADMINISTRATOR, Actor, Principal, Role, Scope
from dispatch.errors import NotFound, StoreUnavailable
from gateway.answer_headers import add_rate_headers, let_page_read
from gateway.json_requests import JsonRequest
from gateway.query_parameters import check_query
from gateway.repetitions import HEADER as REPEATABLE_HEADER
from gateway.repetitions import serve_once
from gateway.services import services_of

_BEARER: Final = "bearer "

SESSION_HEADER: Final = "X-Session-Token"
"""What a page shows beside its widget key: that one chat is its own."""

key_header = APIKeyHeader(
    name="x-api-key", scheme_name="ApiKey", description="The project's key.", auto_error=False
)
key_bearer = HTTPBearer(
    scheme_name="Bearer",
    description="The same key, or the token of a user who signed in.",
    auto_error=False,
)


class GatewayError(Exception):
    """Base of what the gateway itself refuses."""


class Unauthenticated(GatewayError):
    """The key is missing, malformed, unknown, revoked or expired; which one is not told."""

    def __init__(self) -> None:
        super().__init__("Authentication required.")


class Forbidden(GatewayError):
    """The credential is good but does not allow this."""


class PageRefused(Forbidden):
    """The credential is good, but not on the page that sent it."""


_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_Serve = Callable[[JsonRequest], Awaitable[Response]]

_SPENDING: Final = frozenset({Scope.VOICE_WRITE, Scope.CHAT_WRITE, Scope.CALLS_WRITE})
"""What costs the organisation money at once."""


class Mark:
    """Says something about a route, in its dependencies, where the documentation finds it."""


class RequiredScope(Mark):
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


def without_marks(dependant: Dependant) -> Dependant:
    """Return a route's dependencies without those that only describe it.

    FastAPI would solve each of them for each request, which takes longer than the authentication
    they stand for.
    """
    solved = [
        each for each in dependant.dependencies if not isinstance(each.call, SecurityBase | Mark)
    ]
    return replace(dependant, dependencies=solved)


class ApiRoute(APIRoute):
    """A route whose JSON is read strictly, after `authenticate` has agreed."""

    knows_its_parameters: ClassVar[bool] = False
    """Whether a query parameter it does not know is an error. The products' published APIs ignore
    such parameters, and clients of theirs may send some."""

    def matches(self, scope: ASGIScope) -> tuple[Match, ASGIScope]:
        """As any route; but most are ruled out by the path's beginning, in a third of the time."""
        if not scope["path"].startswith(self._beginning):
            return Match.NONE, {}
        return super().matches(scope)

    @cached_property
    def _beginning(self) -> str:
        return self.path.partition("{")[0]

    async def authenticate(self, request: Request) -> None:
        """Let the request in, or raise `Unauthenticated`. Anybody may come in here."""

    def get_route_handler(self) -> _Handler:
        """Return the route's handler, with authentication and the strict parser before it."""
        # Curl and webhooks of simple clients send JSON without saying so; keys are in headers of
        # their own, so no browser can be tricked into such a request.
        self.strict_content_type = False
        documented = self.dependant
        self.dependant = without_marks(documented)
        try:
            serve = super().get_route_handler()
        finally:
            self.dependant = documented

        async def handle(request: Request) -> Response:
            await self.authenticate(request)
            if any("\0" in part for part in request.path_params.values()):
                raise HTTPException(404)  # Postgres keeps no NUL, so nothing has such a name.
            check_query(request, self._parameters, only_known=self.knows_its_parameters)
            json_request = JsonRequest(request.scope, request.receive)
            if self._takes_files:
                # What is uploaded is kept once by its bytes; a form's own differ each time.
                return await serve(json_request)
            if self.body_field is not None:
                await json_request.refuse_nul()
            if request.method == "POST" and REPEATABLE_HEADER in request.headers:
                return await self.serve_repeatable(json_request, serve)
            return await serve(json_request)

        return handle

    async def serve_repeatable(self, request: JsonRequest, serve: _Serve) -> Response:
        """Serve a request with an idempotency key, which means nothing where nobody is known."""
        return await serve(request)

    @cached_property
    def _takes_files(self) -> bool:
        """Whether the body is a form, which may hold more than fits into memory."""
        return self.body_field is not None and isinstance(self.body_field.field_info, params.Form)

    @cached_property
    def _parameters(self) -> frozenset[str]:
        """Names of the query parameters, those of dependencies too."""
        known = get_flat_params(self.dependant)
        return frozenset(each.alias for each in known if isinstance(each.field_info, params.Query))


class TenantRoute(ApiRoute):
    """A route for the holder of a project's key, or a user in a project of their organisation.

    They must have the scopes it `requires`. A POST with an `Idempotency-Key` is carried out once.
    """

    @cached_property
    def scopes(self) -> frozenset[Scope]:
        """What a caller must be allowed to do."""
        required = (each.dependency for each in self.dependencies)
        return frozenset(each.scope for each in required if isinstance(each, RequiredScope))

    async def authenticate(self, request: Request) -> None:
        """Find out who asks and keep them for `CurrentPrincipal`.

        Raises:
            Unauthenticated: The credential is missing or not good.
            Forbidden: It does not allow this.
            PageRefused: It may not be used from this page.
            RateLimited: It was used too often.
            StoreUnavailable: Nobody can say who asks; or the route spends, and nobody can count.
        """
        credential = presented_key(request)
        if not credential:
            raise Unauthenticated
        services = services_of(request)
        api = request.app.state.api_of(self.path)
        project = request.headers.get("x-project-id", "")
        caller = await services.authentication.identify(credential, api, project)
        if caller is None:
            raise Unauthenticated
        principal = caller.principal
        _check_page(request, caller, services.settings.access.allowed_origins)
        if caller.rate is not None:
            _count(request, caller.rate)
        lacking = self.scopes - principal.scopes
        if lacking:
            raise Forbidden(f"This key lacks the scope {min(lacking)}.")
        if not caller.is_counted and self.scopes & _SPENDING:
            raise StoreUnavailable("Nothing is spent while requests cannot be counted.")
        request.state.principal = principal

    async def serve_repeatable(self, request: JsonRequest, serve: _Serve) -> Response:
        """Serve a request with an idempotency key."""
        principal: Principal = request.state.principal
        # The tokens of a user are new every minute; the user is the same.
        credential = principal.user_id or presented_key(request)
        if principal.kind == "widget":
            # Whoever sees the page has the key, and must not be told what another was answered.
            credential += request.headers.get(SESSION_HEADER, "")
        idempotency = services_of(request).idempotency
        tenant = str(principal.project_id)
        return await serve_once(idempotency, request, tenant, credential, serve)


class NativeRoute(TenantRoute):
    """A tenant's route of our own API."""

    knows_its_parameters = True


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who administers: the installation's administrator, or a member of an organisation."""

    actor: Actor
    reach: Reach
    role: Role | None
    """A member's role; None for the installation's administrator."""


class MembersToo(Mark):
    """Says on a route that it keeps to the administrator's reach by itself."""

    async def __call__(self) -> None:
        """Do nothing: `AdminRoute` has checked."""


class InstallationOnly(Mark):
    """Says on a route that members of an organisation may not use it."""

    async def __call__(self) -> None:
        """Do nothing: `AdminRoute` has checked."""


members_too = params.Depends(MembersToo())
installation_only = params.Depends(InstallationOnly())


class AdminRoute(ApiRoute):
    """A route for the installation's administrator, and for members in their organisation.

    Owners and admins may change, operators and viewers look. What is theirs is told by the path's
    organisation or project; a route without either is for members only when it says `members_too`
    and keeps to their reach.
    """

    knows_its_parameters = True

    @cached_property
    def is_for_members(self) -> bool:
        """Whether members may use it, too."""
        marks = {type(each.dependency) for each in self.dependencies}
        if InstallationOnly in marks:
            return False
        return MembersToo in marks or not {"organization_id", "project_id"}.isdisjoint(
            self.param_convertors
        )

    async def authenticate(self, request: Request) -> None:
        """Find out who asks and keep them for `CurrentAdministrator`.

        Raises:
            Unauthenticated: The key is wrong, or the token not good.
            Forbidden: The member's role does not allow this.
            NotFound: The path names another organisation than the member's.
        """
        services = services_of(request)
        expected = services.settings.dialplane_admin_key.get_secret_value()
        presented = presented_key(request)
        # In constant time, whatever else is tried afterwards.
        if hmac.compare_digest(presented.encode(), expected.encode()):
            request.state.administrator = Administrator(ADMINISTRATOR, EVERYWHERE, None)
            return
        member = await services.authentication.administer(presented)
        if member is None:
            raise Unauthenticated
        reach = Reach(member.organization_id)
        await self._check(request, member, reach)
        origin = request.headers.get("origin", "")
        if origin in services.settings.access.allowed_origins:
            let_page_read(request, origin)
        request.state.administrator = Administrator(member.actor, reach, member.role)

    async def serve_repeatable(self, request: JsonRequest, serve: _Serve) -> Response:
        """Serve a request with an idempotency key."""
        administrator: Administrator = request.state.administrator
        tenant = f"admin {administrator.reach.organization_id or ''}"
        is_member = administrator.role is not None
        credential = administrator.actor.id if is_member else presented_key(request)
        idempotency = services_of(request).idempotency
        return await serve_once(idempotency, request, tenant, credential, serve)

    async def _check(self, request: Request, member: Member, reach: Reach) -> None:
        organization = request.path_params.get("organization_id")
        if organization is not None and organization.lower() != str(member.organization_id):
            raise NotFound("organization", organization)
        project = request.path_params.get("project_id")
        if project is not None:
            await services_of(request).tenants.get_project(project, reach=reach)
        if not self.is_for_members:
            raise Forbidden("Only the installation's administrator may do this.")
        if request.method != "GET" and member.role not in ("owner", "admin"):
            raise Forbidden("Only owners and admins may change this.")


def presented_key(request: Request) -> str:
    """Return the key from `x-api-key` or `Authorization: Bearer`, empty when there is none."""
    key = request.headers.get("x-api-key")
    if key is not None:
        return key.strip()
    return bearer_of(request) or ""


def bearer_of(request: Request) -> str | None:
    """Return the token of `Authorization: Bearer` (RFC 6750, 2.1); None without that header."""
    authorization = request.headers.get("authorization", "")
    if authorization[: len(_BEARER)].lower() != _BEARER:
        return None
    return authorization[len(_BEARER) :].strip()


def _check_page(request: Request, caller: Caller, users_origins: Sequence[str]) -> None:
    """Let a key that is locked to domains be used by their pages only, and these read the answer.

    A user's token is in the hands of pages that the installation names.
    """
    origin = request.headers.get("origin")
    if caller.principal.kind == "user":
        allowed = origin in users_origins
    else:
        if caller.principal.kind == "server" and not (origin and caller.allowed_origins):
            return
        allowed = origin is not None and is_allowed(origin, caller.allowed_origins)
        if not allowed:
            raise PageRefused("This key may not be used from this page.")
    if origin and allowed:
        let_page_read(request, origin)


def _count(request: Request, rate: RateState) -> None:
    add_rate_headers(request, rate.limit, rate.remaining, rate.free_in_ms)
    if not rate.is_allowed:
        raise rate.refusal()


async def current_principal(request: Request) -> Principal:
    """Return who holds the key with which this request came."""
    principal: Principal = request.state.principal
    return principal


CurrentPrincipal = Annotated[Principal, Security(current_principal)]


async def current_administrator(request: Request) -> Administrator:
    """Return who administers by this request."""
    administrator: Administrator = request.state.administrator
    return administrator


CurrentAdministrator = Annotated[Administrator, Security(current_administrator)]
