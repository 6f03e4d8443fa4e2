"""A model's server that counts what cannot be: tenants name their servers themselves."""

import pytest

from dispatch.chat.events import Chunk, StreamEnd
from dispatch.conversations import TokenUsage
from tests.integration.dispatch.chat.conftest import ChatHouse
from tests.servers.openai_chat import Reply

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ((10**30, 10**30, 0), TokenUsage(10**8, 10**8)),
        ((-5, 3, 99), TokenUsage(0, 3)),
        # It wrote, so something was written: a server cannot count itself free of charge.
        ((7, 0, 0), TokenUsage(16, 5)),
        ((7, -8, 0), TokenUsage(16, 5)),
    ],
)
async def test_an_answer_is_kept_and_charged_whatever_its_server_counted(
    house: ChatHouse, told: tuple[int, int, int], taken: TokenUsage
):
    chat = await house.chat()
    house.server.replies = [Reply(says=["From nine to five."], usage=told)]
    said = await house.say(chat, "When are you open?")
    assert said[1:] == [Chunk("From nine to five."), StreamEnd(taken, end_session=False)]
    assert [each.content for each in await house.messages(chat)][-1] == "From nine to five."
    assert await house.sessions.settle(chat.id) == 0
    assert await house.spent() > 0
