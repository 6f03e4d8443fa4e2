"""Credentials seen lately, and how often they were used: what a request asks Redis once."""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter

from dispatch.accounts import Principal
from dispatch.errors import RateLimited
from dispatch.store import redis_keys
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import RedisClient, translate_redis_errors

LIFE_S: Final = 60
"""How long an answer of Postgres is believed, unless its organisation changes meanwhile."""

_VERSION_LIFE_S: Final = 3_600
"""Longer than any answer that was read before the change could still be on its way."""

_MOST_REMEMBERED: Final = 4_096
"""Credentials that one process remembers, to have them confirmed."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a credential stands for: a key of ours, or a user's token that was found good."""

    principal: Principal
    version: int
    """The organisation's access version when this was read."""
    expires_at: datetime | None = None
    allowed_origins: tuple[str, ...] = ()
    """Domains whose pages may use it; empty does not restrict a server key."""
    is_revoked: bool = False

    def is_good_at(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return not self.is_revoked and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class RateState:
    """How a request was counted."""

    is_allowed: bool
    limit: int
    """Requests allowed in any 60 s."""
    remaining: int
    free_in_ms: int
    """After how long a request that is counted now is counted no more; over the limit, after how
    long there is room for one again."""

    def refusal(self) -> RateLimited:
        """Return the error for a request that is not allowed."""
        return RateLimited(self.limit, max(1, math.ceil(self.free_in_ms / 1_000)))


class NotConfirmed(Exception):
    """Redis holds the credential no more, or holds something else of it; nothing was done."""


@dataclass(slots=True)
class Presumed:
    """What a credential stood for when this process saw it last.

    Nothing may come of it until Redis confirms it, in the script that carries the request out.
    """

    credential: Credential
    key: str
    """Where Redis keeps it."""
    owner: str
    """What Redis must still hold there, to the letter."""
    api: str
    """Which API is asked; its limit counts."""
    is_confirmed: bool = field(default=False, init=False)
    rate: RateState | None = field(default=None, init=False)
    """How the request was counted; None before that, or when the API has no limit."""

    def confirm(self, used: Sequence[Any]) -> None:
        """Take what the script says of the credential (`_credential.lua`).

        Raises:
            NotConfirmed: It is not what it was taken for. Nothing was done or counted.
            RateLimited: It was used too often. Nothing was done.
        """
        if used[0] == "unknown":
            raise NotConfirmed
        self.is_confirmed = True
        self.rate = _rate(used)
        if self.rate is not None and not self.rate.is_allowed:
            raise self.rate.refusal()


_CREDENTIAL: Final = TypeAdapter(Credential)


@lru_cache(maxsize=4_096)
def _parsed(text: str) -> Credential:
    # The same few texts come with every request; the text is the key, so none can be out of date.
    return _CREDENTIAL.validate_json(text)


def _rate(used: Sequence[Any]) -> RateState | None:
    if used[0] == "known":
        return None
    return RateState(used[0] == "counted", used[2], used[3], used[4])


class CredentialCache:
    """Credentials by their hash. Every method raises `StoreUnavailable` without Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._scripts = LuaScripts(redis)
        self._remembered: dict[str, str] = {}

    def presume(self, digest: str, api: str) -> Presumed | None:
        """Return what a credential stood for when it was used here last, or None. No I/O.

        Args:
            digest: The credential's hash.
            api: The API asked.
        """
        owner = self._remembered.get(digest)
        if owner is None:
            return None
        return Presumed(_parsed(owner), redis_keys.credential(digest), owner, api)

    async def use(self, digest: str, api: str) -> tuple[Credential, RateState | None] | None:
        """Return what a credential stands for, and count the request; None when it is not known.

        Args:
            digest: The credential's hash.
            api: The API asked, whose limit counts; one without a limit is not counted.
        """
        with translate_redis_errors():
            answer = await self._scripts.run("authenticate", [redis_keys.credential(digest)], [api])
        if answer[0] == "unknown":
            self._remembered.pop(digest, None)
            return None
        self._remember_here(digest, answer[1])
        return _parsed(answer[1]), _rate(answer)

    async def remember(
        self,
        digest: str,
        credential: Credential,
        windows: Mapping[str, tuple[str, int]],
        life_s: int = LIFE_S,
    ) -> None:
        """Keep what Postgres said.

        Args:
            digest: The credential's hash.
            credential: What it stands for.
            windows: By API, for whom its requests are counted and how many are allowed.
            life_s: For how long it is kept.
        """
        name = redis_keys.credential(digest)
        fields: dict[Any, Any] = {
            "owner": _CREDENTIAL.dump_json(credential),
            "organization_id": str(credential.principal.organization_id),
            "version": credential.version,
        }
        fields |= {api: f"{subject} {limit}" for api, (subject, limit) in windows.items()}
        with translate_redis_errors():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.delete(name)
                pipeline.hset(name, mapping=fields)
                pipeline.expire(name, life_s)
                await pipeline.execute()

    async def outdate(self, organization_id: uuid.UUID, version: int) -> None:
        """Let nothing be believed that was read of an organisation before this version of it."""
        with translate_redis_errors():
            await self._scripts.run(
                "raise_version",
                [redis_keys.access_version(organization_id)],
                [version, _VERSION_LIFE_S],
            )

    async def take(self, subject: str, limit: int) -> RateState:
        """Count a request for a subject of one's own, such as a chat session."""
        with translate_redis_errors():
            taken, left, free_in_ms = await self._scripts.run(
                "take", [redis_keys.rate(subject)], [limit]
            )
        return RateState(bool(taken), limit, left, free_in_ms)

    def _remember_here(self, digest: str, owner: str) -> None:
        if digest not in self._remembered and len(self._remembered) >= _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[digest] = owner
