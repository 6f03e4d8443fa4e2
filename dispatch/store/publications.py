"""Copies in Redis of what is on record, of which an earlier one never replaces a later one.

Several processes publish the same thing, each some time after its transaction: use cases and the
projection. Whoever writes last need not have read last, so Redis compares.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Final

from dispatch.store import redis_keys
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import RedisClient, translate_redis_errors

_REMEMBERED_S: Final = 3_600
"""Longer than a copy that was read before the next commit can still be on its way."""

_SCANNED: Final = 1_000
"""Keys that Redis looks at before it answers others again."""


class Publications:
    """Writes copies, each with the revision of the row it was made of (`tables.base.Published`).

    A copy of the revision that is there is written again. Every method raises `StoreUnavailable`
    when Redis cannot be reached, and may be repeated.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._scripts = LuaScripts(redis)

    async def publish_text(self, key: str, revision: int, text: str | bytes) -> None:
        """Make a text what the key holds, unless a later copy was published or withdrawn."""
        await self._run("publish", key, revision, text)

    async def publish_hash(self, key: str, revision: int, fields: Mapping[str, str | int]) -> None:
        """Likewise for a hash, which always has the same fields."""
        await self._run("publish", key, revision, *chain.from_iterable(fields.items()))

    async def withdraw(self, key: str, revision: int) -> None:
        """Delete a copy unless a later one was published; one that is not there is fine.

        Args:
            key: Of the copy.
            revision: The row's since it was deleted, so that copies made before stay away, too.
        """
        await self._run("withdraw", key, revision)

    async def latest_revision(self) -> int:
        """Return the greatest revision that any copy had; 0 when none is known of."""
        with translate_redis_errors():
            return int(await self._redis.get(redis_keys.LATEST_REVISION) or 0)

    async def forget_revisions(self) -> None:
        """Take the next copy of everything, whatever its revision; the latest stays known."""
        with translate_redis_errors():
            remembered = self._redis.scan_iter(redis_keys.revision("*"), count=_SCANNED)
            async for key in remembered:
                await self._redis.unlink(key)

    async def _run(self, script: str, key: str, revision: int, *copy: str | bytes | int) -> None:
        with translate_redis_errors():
            await self._scripts.run(
                script, [key, redis_keys.revision(key)], [revision, _REMEMBERED_S, *copy]
            )
