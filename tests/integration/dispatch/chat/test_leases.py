"""The right to answer in a conversation."""

import uuid
from typing import Any

import pytest
from redis.asyncio.lock import Lock

from dispatch.store.conversation_leases import ConversationLeases
from dispatch.store.redis_client import RedisClient

pytestmark = pytest.mark.integration


async def test_a_lease_whose_answer_was_lost_is_ours_and_nobody_elses(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases, conversation_id = ConversationLeases(redis), uuid.uuid4()
    acquire = Lock.do_acquire

    async def acquire_unheard(lock: Lock, token: Any) -> bool:
        # Redis does as it was told; what it says is lost, and it is asked again.
        await acquire(lock, token)
        return await acquire(lock, token)

    monkeypatch.setattr(Lock, "do_acquire", acquire_unheard)
    ours = await leases.acquire(conversation_id, patience_s=0)
    assert ours is not None
    assert await leases.acquire(conversation_id, patience_s=0) is None
    assert await ours.extend()
    await ours.release()
    assert await leases.acquire(conversation_id, patience_s=0) is not None
