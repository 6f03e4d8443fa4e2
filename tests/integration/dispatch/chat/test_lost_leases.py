"""A process that stalls for longer than its lease lasts, and another that answers meanwhile."""

import uuid

import pytest

from dispatch.chat.events import ChatError, Chunk, StreamEnd
from dispatch.store import redis_keys
from tests.integration.dispatch.chat.conftest import ChatHouse, heard
from tests.integration.dispatch.chat.test_turns import MESSAGE_PRICE
from tests.servers.openai_chat import Reply

pytestmark = pytest.mark.integration


async def test_of_two_answers_to_one_message_one_is_kept_and_charged(house: ChatHouse) -> None:
    chat, turn_id = await house.chat(), uuid.uuid4()
    house.server.replies = [Reply(says=["From nine ", "to five."])] * 2
    house.server.gate.clear()
    first = await house.begin(chat, "Hello", turn_id)
    await house.redis.delete(redis_keys.conversation_lease(chat.id))
    second = await house.begin(chat, "Hello", turn_id)
    house.server.gate.set()
    ends = [(await heard(turn))[-1] for turn in (first, second)]

    assert {type(end) for end in ends} == {ChatError, StreamEnd}
    assert [each.content for each in await house.messages(chat)][1:] == [
        "Hello",
        "From nine to five.",
    ]
    assert await house.spent() == MESSAGE_PRICE
    assert (await house.sessions.get(house.owner, chat.id)).cost_microcredits == MESSAGE_PRICE
    # Who was told of a failure asks again, and hears what is on record.
    again = await house.say(chat, "Hello", turn_id)
    assert again[1] == Chunk("From nine to five.")
