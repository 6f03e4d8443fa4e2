"""The journal of a call, and what counts as a turn."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from livekit.agents import llm

from dispatch.calls import Turn
from dispatch.errors import StoreUnavailable
from worker.transcript import CallJournal, tool_arguments, turn_of

pytestmark = pytest.mark.unit

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Record:
    """A recorder that can be away."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Any]] = []
        self.is_away = False
        self.refusals = 0
        self.entry_ids: list[str] = []
        self.refused = asyncio.Event()

    async def answered(self, _call_id: uuid.UUID, at: datetime) -> None:
        self._take("answered", at)

    async def record_turn(self, _call_id: uuid.UUID, entry_id: str, turn: Turn) -> None:
        self.entry_ids.append(entry_id)
        self._take("turn", turn.text)

    async def record_keys(
        self, _call_id: uuid.UUID, _entry_id: str, digits: str, _at: datetime
    ) -> None:
        self._take("keys", digits)

    async def record_tool(
        self,
        _call_id: uuid.UUID,
        _entry_id: str,
        name: str,
        arguments: dict[str, Any],
        _result: str,
    ) -> None:
        if "unwritable" in arguments:
            raise TypeError("This cannot be written.")
        self._take("tool", name)

    def _take(self, kind: str, what: Any) -> None:
        if self.is_away:
            self.refusals += 1
            self.refused.set()
            raise StoreUnavailable("Redis did not answer.")
        self.entries.append((kind, what))


def said(text: str) -> Turn:
    return Turn("caller", text, AT)


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
async def journal(record: Record):
    journal = CallJournal(record, uuid.uuid4(), limit=5)
    writing = asyncio.create_task(journal.run())
    yield journal
    writing.cancel()


async def test_writes_everything_in_the_order_in_which_it_happened(
    journal: CallJournal, record: Record
):
    journal.answered(AT)
    journal.turn(said("hello"))
    journal.keys("2", AT)
    journal.tool("end_call", {}, "")

    assert await journal.flush(30.0)
    assert record.entries == [
        ("answered", AT),
        ("turn", "hello"),
        ("keys", "2"),
        ("tool", "end_call"),
    ]


async def test_keeps_order_and_loses_nothing_while_redis_is_away(
    journal: CallJournal, record: Record
):
    record.is_away = True
    journal.turn(said("one"))
    journal.turn(said("two"))
    await record.refused.wait()
    record.is_away = False

    assert await journal.flush(30.0)
    assert record.entries == [("turn", "one"), ("turn", "two")]
    # The record takes a repeated entry once because it keeps its id.
    assert len(record.entry_ids) > len(set(record.entry_ids)) == 2


async def test_an_entry_that_cannot_be_written_is_in_the_way_of_no_other(
    journal: CallJournal, record: Record
):
    journal.tool("look_up", {"unwritable": 1}, "")
    journal.turn(said("one"))

    assert await journal.flush(30.0)
    assert record.entries == [("turn", "one")]


async def test_gives_up_at_the_end_of_the_call_when_redis_stays_away(
    journal: CallJournal, record: Record
):
    record.is_away = True
    journal.turn(said("lost"))

    assert not await journal.flush(0.01)


async def test_never_blocks_the_conversation_when_too_much_waits(
    journal: CallJournal, record: Record
):
    record.is_away = True
    for number in range(8):
        journal.turn(said(str(number)))

    assert journal.dropped == 3


def test_a_turn_is_dated_at_its_first_word():
    began_at = AT.timestamp()
    message = llm.ChatMessage(
        role="assistant",
        content=["Hello."],
        created_at=began_at + 5,
        metrics={"started_speaking_at": began_at},
    )

    assert turn_of(message) == Turn("agent", "Hello.", AT)


def test_an_interrupted_turn_says_so():
    message = llm.ChatMessage(role="assistant", content=["We are open"], interrupted=True)

    turn = turn_of(message)

    assert turn is not None
    assert turn.interrupted


@pytest.mark.parametrize(
    "message",
    [
        llm.ChatMessage(role="system", content=["Be kind."]),
        llm.ChatMessage(role="user", content=[]),
        llm.ChatMessage(role="user", content=["  "]),
    ],
)
def test_instructions_and_empty_messages_are_no_turns(message: llm.ChatMessage):
    assert turn_of(message) is None


@pytest.mark.parametrize(
    ("written", "arguments"),
    [('{"to": "x"}', {"to": "x"}), ("", {}), ("not json", {}), ("[1]", {})],
)
def test_reads_what_a_model_writes_as_arguments(written: str, arguments: dict[str, Any]):
    call = llm.FunctionCall(call_id="1", name="tool", arguments=written)

    assert tool_arguments(call) == arguments
