"""What happens in a call, put on its record in order, while the conversation goes on."""

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from livekit.agents import llm

from dispatch.calls import EventType, ProviderFailure, Turn
from dispatch.errors import StoreUnavailable

logger = logging.getLogger(__name__)

_LIMIT: Final = 2_000
"""Entries that wait while Redis is away: more than an hour of lively conversation."""

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0


class CallRecorder(Protocol):
    """The part of `LiveCalls` that the journal writes to."""

    async def answered(self, call_id: uuid.UUID, at: datetime) -> object:
        """Put the answer on record."""
        ...

    async def record_turn(self, call_id: uuid.UUID, entry_id: str, turn: Turn) -> None:
        """Put a turn on record."""
        ...

    async def record_keys(
        self, call_id: uuid.UUID, entry_id: str, digits: str, at: datetime
    ) -> None:
        """Put pressed keys on record."""
        ...

    async def record_provider_failure(
        self, call_id: uuid.UUID, entry_id: str, failure: ProviderFailure
    ) -> None:
        """Put a model's failure on record."""
        ...

    async def record_event(
        self, call_id: uuid.UUID, entry_id: str, event_type: EventType, data: Mapping[str, object]
    ) -> None:
        """Put something on record that has no method of its own."""
        ...

    async def record_tool(
        self, call_id: uuid.UUID, entry_id: str, name: str, arguments: dict[str, Any], result: str
    ) -> None:
        """Put a tool's call and result on record."""
        ...


class CallJournal:
    """One call's record, written in the background, strictly in order.

    Nothing in a conversation waits for Redis: entries are queued, the oldest is repeated until it
    is taken, and `flush` waits for the rest at the end of the call. Each entry keeps its id while
    it is repeated, so one that was taken without our hearing of it is not on record twice.

    Args:
        recorder: Where entries go.
        call_id: The call.
        limit: Entries that may wait; later ones are dropped, counted and logged.
    """

    def __init__(self, recorder: CallRecorder, call_id: uuid.UUID, limit: int = _LIMIT) -> None:
        self._recorder = recorder
        self._call_id = call_id
        self._waiting: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue(limit)
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Entries that were lost because too many were waiting."""
        return self._dropped

    def answered(self, at: datetime) -> None:
        """Put down that the call was answered."""
        self._add(lambda: self._recorder.answered(self._call_id, at))

    def turn(self, turn: Turn) -> None:
        """Put down a turn."""
        entry_id = uuid.uuid4().hex
        self._add(lambda: self._recorder.record_turn(self._call_id, entry_id, turn))

    def keys(self, digits: str, at: datetime) -> None:
        """Put down keys the caller pressed."""
        entry_id = uuid.uuid4().hex
        self._add(lambda: self._recorder.record_keys(self._call_id, entry_id, digits, at))

    def gathered(self, name: str, digits: str, count: int, ended: str) -> None:
        """Put down an entry the caller was asked for.

        Args:
            name: Of the entry.
            digits: The keys; empty when they are nobody's business.
            count: How many there were.
            ended: Why no more were waited for.
        """
        if count:
            shown = f"[keys {digits}]" if digits else f"[{count} keys, not shown]"
            self.turn(Turn("caller", shown, datetime.now(UTC)))
        self.event(EventType.KEYS_GATHERED, name=name, keys=digits, count=count, ended=ended)

    def tool(self, name: str, arguments: dict[str, Any], result: str) -> None:
        """Put down what a tool was asked and what it answered."""
        entry_id = uuid.uuid4().hex
        self._add(
            lambda: self._recorder.record_tool(self._call_id, entry_id, name, arguments, result)
        )

    def event(self, event_type: EventType, **data: object) -> None:
        """Put down a step of call control, with what is to be known about it."""
        entry_id = uuid.uuid4().hex
        self._add(lambda: self._recorder.record_event(self._call_id, entry_id, event_type, data))

    def provider_failed(self, failure: ProviderFailure) -> None:
        """Put down which model failed, and why."""
        entry_id = uuid.uuid4().hex
        self._add(lambda: self._recorder.record_provider_failure(self._call_id, entry_id, failure))

    async def run(self) -> None:
        """Write entries until cancelled."""
        while True:
            write = await self._waiting.get()
            try:
                await self._persist(write)
            finally:
                self._waiting.task_done()

    async def flush(self, timeout_s: float) -> bool:
        """Wait until everything is written; return False when time ran out first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._waiting.join()
        except TimeoutError:
            logger.warning("journal not written in time", extra={"waiting": self._waiting.qsize()})
            return False
        return True

    def _add(self, write: Callable[[], Awaitable[object]]) -> None:
        try:
            self._waiting.put_nowait(write)
        except asyncio.QueueFull:
            self._dropped += 1
            logger.warning("journal entry dropped, too many wait", extra={"dropped": self._dropped})

    async def _persist(self, write: Callable[[], Awaitable[object]]) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await write()
            except StoreUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            except Exception:
                # It would fail again. The call goes on, and so does the rest of its record.
                logger.exception("journal entry cannot be written")
                return
            else:
                return


def turn_of(message: llm.ChatMessage) -> Turn | None:
    """Return a conversation item as a turn for the transcript, or None if it is not one.

    An interrupted agent turn holds what was heard of it, not what was meant to be said.
    """
    text = (message.text_content or "").strip()
    if not text or message.role not in {"user", "assistant"}:
        return None
    began_at = message.metrics.get("started_speaking_at") or message.created_at
    return Turn(
        speaker="caller" if message.role == "user" else "agent",
        text=text,
        at=datetime.fromtimestamp(began_at, UTC),
        interrupted=message.interrupted,
    )


def tool_arguments(call: llm.FunctionCall) -> dict[str, Any]:
    """Return the arguments of a tool call; empty when the model wrote something unreadable."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}
