"""Whose key a model is reached with, and where that may lead."""

import asyncio
import socket
import uuid
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from livekit.agents import llm

from dispatch.calls import ProviderFailure
from dispatch.errors import SecretUnreadable, StoreUnavailable
from dispatch.models.catalogue import ModelKind
from dispatch.models.choices import ModelChoice
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.tools.addresses import AllowedHosts, HostRefused, is_public, literal_address
from dispatch.tools.model_servers import NO_KEY

KEY: Final = "api_key"
"""The name under which a provider's secret holds its key."""

BASE_URL: Final = "base_url"
"""The name under which it may hold the server that stands in for the vendor's."""

_PORTS: Final = {"http": 80, "https": 443}

_SERVICES: Final = {
    ModelKind.STT: "stt",
    ModelKind.LLM: "llm",
    ModelKind.TTS: "tts",
    ModelKind.STS: "realtime",
}


class ModelUnavailableError(Exception):
    """A model of the agent cannot be used in this call."""

    def __init__(self, failure: ProviderFailure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Account:
    """How a call reaches one of its models."""

    key: str
    base_url: str | None
    """The server in the vendor's place; None for the vendor's own."""


@dataclass(frozen=True, slots=True)
class Realtime:
    """A realtime model, and whether its server has said anything yet."""

    model: llm.RealtimeModel
    answered: asyncio.Event


def failure_of(choice: ModelChoice, reason: str) -> ProviderFailure:
    """Return the failure of a chosen model, for the record.

    Args:
        choice: The model.
        reason: What happened, as a sentence without a key or a spoken word.
    """
    return ProviderFailure(
        service=_SERVICES[choice.kind],  # type: ignore[arg-type]
        provider=choice.provider,
        model=choice.model,
        reason=reason,
    )


async def account_of(
    choice: ModelChoice, project_id: uuid.UUID, secrets: CallSecrets, allowed: AllowedHosts
) -> Account:
    """Return how to reach a model: with the tenant's key, and never with one of the environment.

    Args:
        choice: The model, of a provider that needs a key.
        project_id: Whose agent names it.
        secrets: Where the project's keys are.
        allowed: Hosts that may be reached although they are not public.

    Raises:
        ModelUnavailableError: There is no key, it cannot be read, or the server may not be reached.
    """
    name = choice.key_name
    assert name is not None  # noqa: S101  (only builtin models have none, and they need no account)
    try:
        values = await secrets.for_call(project_id, name)
    except StoreUnavailable as exc:
        raise _unavailable(choice, "Redis did not answer when the API key was needed.") from exc
    except SecretUnreadable as exc:
        raise _unavailable(choice, "The API key cannot be opened by this worker.") from exc
    base_url = choice.base_url or values.get(BASE_URL)
    key = values.get(KEY)
    if not key:
        if base_url is None or (choice.must_have_key and not values):
            raise _unavailable(choice, f"The project's secret {name} holds no {KEY}.")
        key = NO_KEY
    if base_url is not None:
        _check_address(choice, base_url, allowed)
    return Account(key, base_url)


def guarded_session(account: Account, allowed: AllowedHosts) -> aiohttp.ClientSession | None:
    """Return a session whose connections reach public hosts only, or None where none is needed.

    The vendor's own host, and a host that the operator allows by name, need no guard: there the
    framework's shared session is used.
    """
    if account.base_url is None:
        return None
    url = urlsplit(account.base_url)
    if allowed.names(url.hostname or "", url.port or _PORTS[url.scheme]):
        return None
    # Asked for each connection, after the name was looked up and for every redirect.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=_public_socket, limit=10)
    )


def _check_address(choice: ModelChoice, base_url: str, allowed: AllowedHosts) -> None:
    try:
        url = urlsplit(base_url)
        allowed.check(url.scheme, url.hostname or "", url.port or _PORTS[url.scheme])
    except (HostRefused, KeyError, ValueError) as exc:
        raise _unavailable(
            choice,
            "The base URL is not a public https address, nor a host that the operator allows.",
        ) from exc


def _public_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, place = address
    found = literal_address(str(place[0]))
    if found is None or not is_public(found):
        raise OSError("This host is not at a public address.")
    return socket.socket(family, kind, protocol)


def _unavailable(choice: ModelChoice, reason: str) -> ModelUnavailableError:
    return ModelUnavailableError(failure_of(choice, reason))
