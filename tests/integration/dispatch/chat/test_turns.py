"""Answers of a language model: what it is asked, what is kept, and what is charged."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from dispatch.access.audit import ADMINISTRATOR
from dispatch.chat.events import (
    ChatError,
    Chunk,
    StreamEnd,
    StreamStart,
    ToolCall,
    ToolResult,
)
from dispatch.conversations import ClosedBy, Role, TokenUsage
from dispatch.errors import Conflict, InsufficientCredits, ModelUnavailable, NotFound
from dispatch.knowledge.bases import KnowledgeBases
from dispatch.store import redis_keys
from dispatch.store.tables import ChatTurnRow, ConversationRow
from dispatch.tool_definition import ToolDraft
from tests.integration.dispatch.chat.conftest import ChatHouse, heard
from tests.servers.openai_chat import KEY, Call, Reply
from tests.servers.tool_server import json_reply, running_tool_server

pytestmark = pytest.mark.integration

SORRY = ChatError("Something went wrong while answering. Please try again.")
MESSAGE_PRICE = 400
"""Micro-credits of a message answered with the tenant's own key, as in the price table."""


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.01)


class TestAnswering:
    async def test_the_answer_streams_and_is_kept(self, house: ChatHouse):
        chat = await house.chat()
        house.server.replies = [Reply(says=["From nine ", "to five."], usage=(30, 7, 10))]
        assert await house.say(chat, "When are you open?") == [
            StreamStart("Support Agent"),
            Chunk("From nine "),
            Chunk("to five."),
            StreamEnd(TokenUsage(30, 7, 10), end_session=False),
        ]
        said = [(each.role, each.content, each.token_count) for each in await house.messages(chat)]
        assert said == [
            (Role.ASSISTANT, "Hello. How can I help you?", None),
            (Role.USER, "When are you open?", None),
            (Role.ASSISTANT, "From nine to five.", 7),
        ]

    async def test_the_model_is_asked_with_prompt_history_and_the_tenants_key(
        self, house: ChatHouse
    ):
        chat = await house.chat(metadata={"name": "Ada"})
        await house.say(chat, "One")
        await house.say(chat, "Two")
        request = house.server.requests[1]
        assert (request["model"], request["temperature"]) == ("gpt-4.1", 0.5)
        assert request["messages"] == [
            {"role": "system", "content": "You help Ada."},
            {"role": "assistant", "content": "Hello. How can I help you?"},
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "You said: One"},
            {"role": "user", "content": "Two"},
        ]
        assert house.server.keys == [KEY, KEY]

    async def test_no_more_than_forty_items_are_given_to_the_model(self, house: ChatHouse):
        chat = await house.chat()
        for number in range(25):
            await house.say(chat, str(number))
        messages = house.server.requests[-1]["messages"]
        assert len(messages) == 1 + 40
        assert messages[-1] == {"role": "user", "content": "24"}

    async def test_a_tool_is_called_with_its_secret_and_its_answer_used(self, house: ChatHouse):
        async with running_tool_server(lambda _: json_reply({"status": "shipped"})) as orders:
            await house.secrets.put(
                ADMINISTRATOR, house.owner.project_id, "crm", {"token": "crm-secret"}
            )
            tool = await house.tools.create(
                ADMINISTRATOR,
                house.owner.project_id,
                ToolDraft.model_validate(
                    {
                        "name": "find_order",
                        "description": "Find an order.",
                        "parameters": {
                            "type": "object",
                            "properties": {"number": {"type": "integer"}},
                        },
                        "http": {
                            "url": orders.url("/orders"),
                            "headers": {"Authorization": "Bearer {{secret:crm.token}}"},
                        },
                    }
                ),
                uuid.uuid4(),
            )
            chat = await house.chat(await house.agent(tool_ids=[tool.tool_id]))
            house.server.replies = [
                Reply(says=["One moment."], calls=[Call("find_order", {"number": 7})]),
                Reply(says=["It is shipped."]),
            ]
            events = await house.say(chat, "Where is order 7?")
        assert events == [
            StreamStart("Support Agent"),
            Chunk("One moment."),
            ToolCall("find_order"),
            ToolResult("find_order"),
            Chunk(" It is shipped."),
            StreamEnd(TokenUsage(20, 10), end_session=False),
        ]
        [received] = orders.received
        assert received.json == {"number": 7}
        assert received.headers["authorization"] == "Bearer crm-secret"
        offered = [each["function"]["name"] for each in house.server.requests[0]["tools"]]
        assert offered == ["find_order", "end_conversation"]
        assert house.server.requests[1]["messages"][-2:] == [
            {
                "role": "assistant",
                "content": "One moment.",
                "tool_calls": [
                    {
                        "id": "call_0",
                        "type": "function",
                        "function": {"name": "find_order", "arguments": '{"number": 7}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_0", "content": '{"status":"shipped"}'},
        ]

    async def test_a_knowledge_base_is_searched(self, house: ChatHouse):
        base = await KnowledgeBases(house.database).create(
            ADMINISTRATOR, house.owner.project_id, name="Handbook", new_id=uuid.uuid4()
        )
        chat = await house.chat(await house.agent(knowledge_base_ids=[base.id]))
        house.server.replies = [
            Reply(calls=[Call("search_knowledge", {"query": "refunds"})]),
            Reply(says=["I do not know."]),
        ]
        events = await house.say(chat, "May I have my money back?")
        assert events[1:3] == [ToolCall("search_knowledge"), ToolResult("search_knowledge")]
        offered = [each["function"]["name"] for each in house.server.requests[0]["tools"]]
        assert offered == ["search_knowledge", "end_conversation"]
        answered = house.server.requests[1]["messages"][-1]
        assert (answered["role"], answered["tool_call_id"]) == ("tool", "call_0")
        assert answered["content"]

    async def test_the_model_can_end_the_conversation(self, house: ChatHouse):
        chat = await house.chat()
        house.server.replies = [Reply(says=["Goodbye."], calls=[Call("end_conversation")])]
        events = await house.say(chat)
        assert events[-1] == StreamEnd(TokenUsage(10, 5), end_session=True)
        assert len(house.server.requests) == 1


class TestOneAtATime:
    async def test_a_second_message_waits_for_the_first(self, house: ChatHouse):
        chat = await house.chat()
        house.server.replies = [Reply(says=["first"]), Reply(says=["second"])]
        house.server.gate.clear()
        first = await house.begin(chat, "One")
        asyncio.get_running_loop().call_later(0.1, house.server.gate.set)
        second = await house.begin(chat, "Two")
        await asyncio.gather(heard(first), heard(second))
        contents = [each.content for each in await house.messages(chat)]
        assert contents[1:] == ["One", "first", "Two", "second"]

    @pytest.mark.parametrize("patience_s", [0.1])
    async def test_a_message_does_not_wait_for_ever(self, house: ChatHouse):
        chat = await house.chat()
        house.server.gate.clear()
        first = await house.begin(chat, "One")
        with pytest.raises(Conflict):
            await house.begin(chat, "Two")
        house.server.gate.set()
        await heard(first)
        assert [each.content for each in await house.messages(chat)][1:] == ["One", "You said: One"]

    async def test_another_conversation_does_not_wait(self, house: ChatHouse):
        first, second = await house.chat(), await house.chat()
        house.server.gate.clear()
        turns = [await house.begin(chat) for chat in (first, second)]
        house.server.gate.set()
        assert [(await heard(turn))[-1].__class__ for turn in turns] == [StreamEnd, StreamEnd]


class TestMoney:
    async def test_an_answer_is_charged_once_to_the_last_micro_credit(self, house: ChatHouse):
        chat = await house.chat()
        await house.say(chat)
        assert await house.spent() == MESSAGE_PRICE
        assert (await house.sessions.get(house.owner, chat.id)).cost_microcredits == MESSAGE_PRICE

    async def test_without_credit_the_model_is_not_asked_and_nothing_is_written(
        self, house: ChatHouse
    ):
        chat = await house.chat()
        await house.redis.set(redis_keys.balance(house.owner.organization_id), 19_999)
        with pytest.raises(InsufficientCredits):
            await house.say(chat)
        assert house.server.requests == []
        assert len(await house.messages(chat)) == 1

    async def test_an_unknown_balance_is_no_credit(self, house: ChatHouse):
        chat = await house.chat()
        await house.redis.delete(redis_keys.balance(house.owner.organization_id))
        with pytest.raises(InsufficientCredits):
            await house.say(chat)
        assert house.server.requests == []

    async def test_a_message_repeated_by_its_id_is_answered_and_charged_once(
        self, house: ChatHouse
    ):
        chat = await house.chat()
        turn_id = uuid.uuid4()
        first = await house.say(chat, "Hello", turn_id)
        second = await house.say(chat, "Hello", turn_id)
        assert second[0] == first[0]
        assert second[-1] == first[-1]
        assert second[1] == Chunk("You said: Hello")
        assert len(house.server.requests) == 1
        assert await house.spent() == MESSAGE_PRICE

    async def test_what_a_crash_left_uncharged_is_charged_at_the_end(self, house: ChatHouse):
        chat = await house.chat()
        turn_id = uuid.uuid4()
        await house.say(chat, "Hello", turn_id)
        await _forget_charge(house, turn_id)
        await house.redis.set(redis_keys.balance(house.owner.organization_id), 1_000)
        for _ in range(2):
            await house.sessions.end(chat.id)
        assert await house.balances.get(house.owner.organization_id) == 1_000 - MESSAGE_PRICE


class TestFailing:
    async def test_a_client_that_goes_away_finds_the_whole_answer_charged_once(
        self, house: ChatHouse
    ):
        chat = await house.chat()
        house.server.replies = [Reply(says=["From nine ", "to five."])]
        house.server.gate.clear()
        turn = await house.begin(chat)
        async for event in turn.events():
            if isinstance(event, Chunk):
                break
        house.server.gate.set()

        async def is_kept() -> bool:
            return len(await house.messages(chat)) == 3

        await until(is_kept)
        assert (await house.messages(chat))[-1].content == "From nine to five."

        async def is_charged() -> bool:
            return await house.spent() == MESSAGE_PRICE

        await until(is_charged)

    async def test_an_answer_that_breaks_off_is_kept_as_far_as_it_came(self, house: ChatHouse):
        chat = await house.chat()
        house.server.replies = [Reply(says=["Your order ", "is"], breaks_after=1)]
        events = await house.say(chat)
        assert events == [StreamStart("Support Agent"), Chunk("Your order "), SORRY]
        last = (await house.messages(chat))[-1]
        assert (last.content, last.failed) == ("Your order ", True)
        assert await house.spent() == MESSAGE_PRICE

    @pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
    async def test_a_server_that_refuses_costs_nothing(self, house: ChatHouse, status: int):
        chat = await house.chat()
        house.server.replies = [Reply(status=status)] * 2
        assert await house.say(chat) == [StreamStart("Support Agent"), SORRY]
        assert await house.spent() == 0
        house.server.replies = []
        assert isinstance((await house.say(chat, "Again"))[-1], StreamEnd)

    async def test_a_message_whose_answer_failed_is_answered_when_it_is_sent_again(
        self, house: ChatHouse
    ):
        chat = await house.chat()
        turn_id = uuid.uuid4()
        house.server.replies = [Reply(status=400)]
        await house.say(chat, "Hello", turn_id)
        events = await house.say(chat, "Hello", turn_id)
        assert isinstance(events[-1], StreamEnd)
        assert [each.content for each in await house.messages(chat)][1:] == [
            "Hello",
            "You said: Hello",
        ]
        assert await house.spent() == MESSAGE_PRICE

    async def test_what_the_server_says_of_an_error_is_told_to_nobody(
        self, house: ChatHouse, caplog: pytest.LogCaptureFixture
    ):
        chat = await house.chat()
        house.server.replies = [Reply(status=400)]
        events = await house.say(chat)
        assert "sk-secret" not in str(events) + caplog.text

    async def test_a_process_that_stops_keeps_what_was_said(self, house: ChatHouse):
        chat = await house.chat()
        house.server.replies = [Reply(says=["From nine ", "to five."])]
        house.server.gate.clear()
        turn = await house.begin(chat)
        async for event in turn.events():
            if isinstance(event, Chunk):
                break
        await house.turns.aclose(patience_s=0)
        assert (await house.messages(chat))[-1].content == "From nine "
        assert await house.spent() == MESSAGE_PRICE

    async def test_a_private_server_that_nobody_allowed_is_not_reached(self, house: ChatHouse):
        url = house.server.base_url.replace("127.0.0.1", "localhost")
        llm = {"provider": "openai", "model": "gpt-4.1", "base_url": url}
        chat = await house.chat(await house.agent(models={"llm": llm}))
        assert await house.say(chat) == [StreamStart("Support Agent"), SORRY]
        assert house.server.requests == []

    async def test_without_a_key_no_model_is_asked(self, house: ChatHouse):
        await house.secrets.delete(ADMINISTRATOR, house.owner.project_id, "openai")
        llm = {"provider": "openai", "model": "gpt-4.1"}
        chat = await house.chat(await house.agent(models={"llm": llm}))
        with pytest.raises(ModelUnavailable, match="keeps no api_key for openai"):
            await house.say(chat)
        assert len(await house.messages(chat)) == 1


class TestEnding:
    async def test_an_answer_under_way_when_the_chat_ends_is_kept_and_charged(
        self, house: ChatHouse
    ):
        chat = await house.chat()
        house.server.gate.clear()
        turn = await house.begin(chat)
        await house.sessions.end(chat.id)
        house.server.gate.set()
        await heard(turn)
        ended = await house.sessions.get(house.owner, chat.id)
        assert (ended.closed_by, ended.cost_microcredits) == (ClosedBy.CLIENT, MESSAGE_PRICE)

    async def test_a_chat_that_fell_silent_is_over(self, house: ChatHouse):
        chat, other = await house.chat(), await house.chat()
        await _make_silent(house, chat.id)
        with pytest.raises(NotFound):
            await house.say(chat)
        assert (await house.sessions.run_once()).closed == 1
        closed = await house.sessions.get(house.owner, chat.id)
        assert closed.closed_by is ClosedBy.IDLE
        assert (await house.sessions.get(house.owner, other.id)).closed_at is None

    async def test_an_end_tells_what_the_chat_came_to(self, house: ChatHouse):
        chat = await house.chat()
        await house.say(chat)
        await house.say(chat)
        ended = await house.sessions.end(chat.id)
        assert ended.usage == TokenUsage(20, 10)
        assert ended.message_count == 5
        assert ended.cost_microcredits == 2 * MESSAGE_PRICE


async def _make_silent(house: ChatHouse, conversation_id: uuid.UUID) -> None:
    async with house.database.transaction() as db:
        await db.execute(
            update(ConversationRow)
            .where(ConversationRow.id == conversation_id)
            .values(last_active_at=datetime.now(UTC) - timedelta(minutes=31))
        )


async def _forget_charge(house: ChatHouse, turn_id: uuid.UUID) -> None:
    """Make it look as if the process died between an answer's record and its charge."""
    async with house.database.transaction() as db:
        operation_id = await db.scalar(
            update(ChatTurnRow)
            .where(ChatTurnRow.id == turn_id)
            .values(cost_microcredits=None)
            .returning(ChatTurnRow.operation_id)
        )
    await house.redis.delete(redis_keys.reservation(operation_id))
