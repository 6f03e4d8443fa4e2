"""Routes at which who asks is confirmed, and counted, by the script that carries the request out.

To ask Redis first who asks, and then for what they want, takes a round trip more. A key that this
process has seen before is taken for what it was then, until that one script says that it still is:
nothing is done, and nothing answered, for a key that was revoked meanwhile.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from fastapi import Request
from starlette.responses import Response

from dispatch.accounts import Principal
from dispatch.store.credential_cache import NotConfirmed, Presumed
from gateway.answer_headers import add_rate_headers
from gateway.auth import TenantRoute, presented_key
from gateway.repetitions import HEADER as REPEATABLE_HEADER
from gateway.services import services_of

_T = TypeVar("_T")

_ASKED_FIRST: Final = ("origin", "x-project-id", REPEATABLE_HEADER)
"""Headers of requests of which it must be known beforehand who asks: pages, of which not every one
may use a key; users; and repetitions, which are answered with what was answered before."""


class ConfirmingRoute(TenantRoute):
    """A tenant's route whose endpoint does all it does by way of `confirmed`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, which leaves no request uncounted."""
        serve = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                answer = await serve(request)
            except Exception:
                # A mistake in the body is told only to whom it may be, and counts as a request.
                await self._confirm_now(request)
                raise
            await self._confirm_now(request)
            return answer

        return handle

    async def authenticate(self, request: Request) -> None:
        """As of every tenant's route, or take a key for what it was before."""
        presumed = self._presume(request)
        if presumed is None:
            await super().authenticate(request)
            return
        request.state.presumed = presumed
        request.state.principal = presumed.credential.principal

    def _presume(self, request: Request) -> Presumed | None:
        if any(name in request.headers for name in _ASKED_FIRST):
            return None
        authentication = services_of(request).authentication
        api = request.app.state.api_of(self.path)
        presumed = authentication.presume(presented_key(request), api)
        if presumed is None:
            return None
        principal = presumed.credential.principal
        may_ask = principal.kind == "server" and self.scopes <= principal.scopes
        return presumed if may_ask else None

    async def _confirm_now(self, request: Request) -> None:
        presumed: Presumed | None = getattr(request.state, "presumed", None)
        if presumed is not None and not presumed.is_confirmed:
            await authenticate_now(self, request)


async def authenticate_now(route: TenantRoute, request: Request) -> None:
    """Ask who asks, and forget who was presumed to."""
    request.state.presumed = None
    await TenantRoute.authenticate(route, request)


async def confirmed(
    request: Request, act: Callable[[Principal, Presumed | None], Awaitable[_T]]
) -> _T:
    """Carry a request out, and return what came of it.

    Args:
        request: A request to a `ConfirmingRoute`.
        act: Carries it out for a principal. It is given who is presumed to ask, and must do nothing
            before that is confirmed; with None, they are known.

    Raises:
        Unauthenticated: The key is no longer good.
        RateLimited: It was used too often.
    """
    presumed: Presumed | None = getattr(request.state, "presumed", None)
    if presumed is not None:
        try:
            return await act(request.state.principal, presumed)
        except NotConfirmed:
            await authenticate_now(request.scope["route"], request)
        finally:
            if presumed.rate is not None:
                rate = presumed.rate
                add_rate_headers(request, rate.limit, rate.remaining, rate.free_in_ms)
    return await act(request.state.principal, None)
