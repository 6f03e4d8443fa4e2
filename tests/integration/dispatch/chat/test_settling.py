"""Answers that a crash left uncharged, of several customers at once."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from dispatch.accounts import ADMINISTRATOR
from dispatch.errors import StoreUnavailable
from dispatch.store import redis_keys
from dispatch.store.tables import ChatTurnRow
from tests.builders.tenants import new_principal
from tests.integration.dispatch.chat.conftest import ChatHouse
from tests.integration.dispatch.conftest import UseCases
from tests.servers.openai_chat import KEY

pytestmark = pytest.mark.integration


async def left_uncharged(house: ChatHouse) -> uuid.UUID:
    """Have a message answered whose charge a crash cut off; return the answer's turn."""
    turn_id = uuid.uuid4()
    await house.say(await house.chat(), "Hello", turn_id)
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    async with house.database.transaction() as db:
        operation_id = await db.scalar(
            update(ChatTurnRow)
            .where(ChatTurnRow.id == turn_id)
            .values(cost_microcredits=None, at=long_ago)
            .returning(ChatTurnRow.operation_id)
        )
    await house.redis.delete(redis_keys.reservation(operation_id))
    return turn_id


@pytest.mark.parametrize("unknown", [0, 1])
async def test_a_balance_that_is_unknown_keeps_no_other_customer_from_being_charged(
    house: ChatHouse, use_cases: UseCases, unknown: int
):
    other = replace(house, owner=await new_principal(use_cases, "Other"))
    await house.redis.set(redis_keys.balance(other.owner.organization_id), 5_000_000)
    await house.secrets.put(ADMINISTRATOR, other.owner.project_id, "openai", {"api_key": KEY})
    turns = [await left_uncharged(one) for one in (house, other)]
    lost = (house, other)[unknown].owner.organization_id
    await house.redis.delete(redis_keys.balance(lost))

    with pytest.raises(StoreUnavailable):
        await house.sessions.run_once()
    async with house.database.reading() as db:
        costs = [
            await db.scalar(select(ChatTurnRow.cost_microcredits).where(ChatTurnRow.id == turn))
            for turn in turns
        ]
    assert [cost is None for cost in costs] == [unknown == 0, unknown == 1]

    await house.redis.set(redis_keys.balance(lost), 5_000_000)
    assert (await house.sessions.run_once()).settled == 1
