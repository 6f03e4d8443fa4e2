"""Claims of requests that carry an idempotency key, and the answers they were given."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from dispatch.store import redis_keys
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import RedisClient, translate_redis_errors

KEEP: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What became of a claim.

    `claimed`: it is the caller's. `answered`: `answer` was kept. `running`: somebody works on it
    for `left_ms` more at most. `reused`: the key came with another request.
    """

    kind: Literal["claimed", "answered", "running", "reused"]
    answer: str = ""
    left_ms: int = 0


class RequestClaims:
    """Claims by digest. Every method raises `StoreUnavailable` without Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._scripts = LuaScripts(redis)

    async def claim(
        self, digest: str, fingerprint: str, owner: str, lease: timedelta
    ) -> ClaimResult:
        """Claim a request for an owner until the lease ends or it is settled."""
        keep_s, lease_ms = int(KEEP.total_seconds()), int(lease.total_seconds() * 1_000)
        with translate_redis_errors():
            kind, *rest = await self._scripts.run(
                "claim_request",
                [redis_keys.idempotency(digest)],
                [fingerprint, owner, lease_ms, keep_s],
            )
        match kind:
            case "answered":
                return ClaimResult("answered", answer=rest[0])
            case "running":
                return ClaimResult("running", left_ms=rest[0])
            case "reused":
                return ClaimResult("reused")
            case _:
                return ClaimResult("claimed")

    async def extend(self, digest: str, owner: str, lease: timedelta) -> bool:
        """Let a claim stand for a lease from now on; False when it is not the owner's any more."""
        keep_s, lease_ms = int(KEEP.total_seconds()), int(lease.total_seconds() * 1_000)
        with translate_redis_errors():
            extended = await self._scripts.run(
                "extend_request", [redis_keys.idempotency(digest)], [owner, lease_ms, keep_s]
            )
        return bool(extended)

    async def settle(self, digest: str, owner: str, answer: str) -> None:
        """Keep the answer; with an empty one let the next request try again."""
        keep_s = int(KEEP.total_seconds())
        with translate_redis_errors():
            await self._scripts.run(
                "settle_request", [redis_keys.idempotency(digest)], [owner, answer, keep_s]
            )
