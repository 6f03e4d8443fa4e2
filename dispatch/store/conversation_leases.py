"""Who answers in a conversation just now: one message at a time, whichever process it reached."""

import uuid
from typing import Any, Final

from redis.asyncio.lock import Lock
from redis.exceptions import LockError

from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient, translate_redis_errors

LIFE_S: Final = 15.0
"""How long a lease outlives a process that died; a living one extends it."""

_POLL_S: Final = 0.05


class _Lock(Lock):
    """A lock that knows itself again: the answer to an acquisition that Redis made may be lost."""

    async def do_acquire(self, token: Any) -> bool:
        """Try once; whether the lock is held under this token now."""
        if await super().do_acquire(token):
            return True
        held: Any = await self.redis.get(self.name)
        return bool(held == token.decode())


class ConversationLease:
    """The right to answer in one conversation, until it is released or not extended in time."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    async def extend(self) -> bool:
        """Live on for another `LIFE_S`; False when the lease has lapsed.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        try:
            with translate_redis_errors():
                await self._lock.reacquire()
        except LockError:
            return False
        return True

    async def release(self) -> None:
        """Let the next message be answered; a lease that has lapsed is not ours to release.

        Raises:
            StoreUnavailable: Redis did not answer; the lease lapses by itself.
        """
        try:
            with translate_redis_errors():
                await self._lock.release()
        except LockError:
            return


class ConversationLeases:
    """Leases of conversations, in Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def acquire(
        self, conversation_id: uuid.UUID, *, patience_s: float
    ) -> ConversationLease | None:
        """Return the lease, or None when another message holds it for longer than we wait.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        lock = self._redis.lock(
            redis_keys.conversation_lease(conversation_id),
            timeout=LIFE_S,
            sleep=_POLL_S,
            blocking_timeout=patience_s,
            lock_class=_Lock,
            thread_local=False,
        )
        with translate_redis_errors():
            return ConversationLease(lock) if await lock.acquire() else None
