"""The only LiveKit API client, and the only place where its failures become `telephony.errors`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Final, Self, TypeVar

import aiohttp
from google.protobuf.message import DecodeError
from livekit import api
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from telephony.errors import (
    TrunkConflict,
    VendorError,
    VendorNotFound,
    VendorRejected,
    VendorUnavailable,
)
from telephony.settings import LiveKitSettings

VENDOR: Final = "livekit"

_REPETITIONS: Final = 2
"""The SDK makes one attempt against a self-hosted server, so repeating is ours."""

_SIGNED_FOR: Final = timedelta(minutes=10)
_SIGNED_AGAIN_AFTER_S: Final = 300.0

_T = TypeVar("_T")


class LiveKitClient:
    """A connection pool to one LiveKit server, open inside `async with`.

    Args:
        settings: Where LiveKit is.
    """

    def __init__(self, settings: LiveKitSettings) -> None:
        self.settings = settings
        self._silent_s = settings.livekit_timeout.total_seconds()
        self._session: aiohttp.ClientSession | None = None
        self._api: api.LiveKitAPI | None = None
        self._room_maker: api.LiveKitAPI | None = None
        self._signed_at_s = 0.0
        self._repeating = AsyncRetrying(
            retry=retry_if_exception_type(VendorUnavailable),
            stop=stop_after_attempt(_REPETITIONS) | stop_after_delay(self._silent_s),
            wait=wait_random_exponential(multiplier=0.1, max=0.5),
            reraise=True,
        )

    async def __aenter__(self) -> Self:
        # An HTTP session belongs to the running loop, so it cannot be made any earlier.
        self._session = aiohttp.ClientSession()
        self._api = api.LiveKitAPI(
            self.settings.livekit_url,
            self.settings.livekit_api_key,
            self.settings.livekit_api_secret.get_secret_value(),
            session=self._session,
            failover=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
        self._session = self._api = self._room_maker = None

    @property
    def room_maker(self) -> api.LiveKitAPI:
        """The client with which rooms are made: its requests are not signed one by one.

        Signing takes a tenth of the time in which LiveKit makes a room, and every one of these
        requests is signed for the same.
        """
        if self._session is None:
            raise RuntimeError("the LiveKit client is used outside of its `async with`")
        now_s = time.monotonic()
        if self._room_maker is None or now_s - self._signed_at_s > _SIGNED_AGAIN_AFTER_S:
            settings = self.settings
            key, secret = settings.livekit_api_key, settings.livekit_api_secret.get_secret_value()
            allowed = api.VideoGrants(room_create=True)
            token = api.AccessToken(key, secret).with_grants(allowed).with_ttl(_SIGNED_FOR)
            self._room_maker = api.LiveKitAPI.with_token(
                token.to_jwt(), settings.livekit_url, session=self._session, failover=False
            )
            self._signed_at_s = now_s
        return self._room_maker

    async def once(
        self,
        operation: str,
        send: Callable[[api.LiveKitAPI], Awaitable[_T]],
        *,
        rings: bool = False,
    ) -> _T:
        """Send a request that must not be repeated blindly, and return LiveKit's answer.

        Args:
            operation: What is asked, for errors, such as `create_inbound_trunk`.
            send: Sends it with the open client.
            rings: LiveKit answers when a telephone did; the SDK waits a little longer than it may
                ring. All other requests get `livekit_timeout`.

        Raises:
            VendorError: A more specific kind of it, by what went wrong.
        """
        if self._api is None:
            raise RuntimeError("the LiveKit client is used outside of its `async with`")
        # Here and not in the session: the SDK sends each request with a timeout of its own, which
        # is none. Source: livekit-api 1.2.2 twirp_client.py, request.
        limit_s = None if rings else self._silent_s
        with translated_errors(operation):
            async with asyncio.timeout(limit_s):
                return await send(self._api)

    async def repeatable(
        self, operation: str, send: Callable[[api.LiveKitAPI], Awaitable[_T]]
    ) -> _T:
        """Send a request that may be repeated: a read, a delete or an idempotent create.

        A server that kept silent for `livekit_timeout` is not asked again: it hangs.

        Raises:
            VendorError: As `once`, after the last of three attempts.
        """
        asked_at_s = time.monotonic()
        try:
            # Not by tenacity: it would take a fifth of what the SDK does where nothing is repeated.
            return await self.once(operation, send)
        except VendorUnavailable:
            if time.monotonic() - asked_at_s >= self._silent_s:
                raise
        async for attempt in self._repeating.copy():
            with attempt:
                return await self.once(operation, send)
        raise AssertionError("tenacity either returns or raises")


@contextmanager
def translated_errors(operation: str) -> Iterator[None]:
    """Turn whatever the LiveKit SDK raises inside into `telephony.errors`.

    Raises:
        VendorError: A more specific kind of it.
    """
    try:
        yield
    except api.ServerError as exc:
        raise _of_server_error(operation, exc) from exc
    except DecodeError as exc:
        reason = "the answer is not LiveKit's: something else listens at LIVEKIT_URL"
        raise VendorRejected(VENDOR, operation, reason) from exc
    except TimeoutError as exc:
        raise VendorUnavailable(VENDOR, operation, "no answer in time") from exc
    except aiohttp.InvalidURL as exc:
        raise VendorRejected(VENDOR, operation, "LIVEKIT_URL is not an address") from exc
    except aiohttp.ClientError as exc:
        raise VendorUnavailable(VENDOR, operation, "could not be reached") from exc


_KINDS: Final[dict[str, type[VendorError]]] = {
    api.ServerErrorCode.NOT_FOUND: VendorNotFound,
    api.ServerErrorCode.UNAVAILABLE: VendorUnavailable,
    api.ServerErrorCode.DEADLINE_EXCEEDED: VendorUnavailable,
    api.ServerErrorCode.RESOURCE_EXHAUSTED: VendorUnavailable,
}


def _of_server_error(operation: str, error: api.ServerError) -> VendorError:
    # LiveKit answers a clash of trunks or rules with plain `invalid_argument`, so only its words
    # tell. Source: livekit/protocol sip/sip.go, validateTrunkInbound and DispatchRuleValidator.
    if error.message.startswith(("Conflicting ", "Dispatch rule for the same trunk")):
        return TrunkConflict(VENDOR, operation, error.message)
    kind = _KINDS.get(error.code)
    if kind is None:
        kind = VendorUnavailable if error.status >= 500 else VendorRejected
    return kind(VENDOR, operation, error.message or f"HTTP {error.status} {error.code}")
