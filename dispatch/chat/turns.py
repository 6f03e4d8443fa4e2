"""One message at a time: takes it, has it answered, writes the answer down and charges it.

An answer is a task of its own, so a client that goes away in the middle changes nothing: the answer
is completed, kept and charged once. What a crash can leave behind is a message without an answer,
or an answer that is not charged yet, which the expiry charges by the same id.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Protocol

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from dispatch.chat.answering import Answering
from dispatch.chat.charging import ChatCharges
from dispatch.chat.events import ChatError, ChatEvent, Chunk, StreamEnd, StreamStart, apart
from dispatch.chat.sessions import instructions_of, require_open
from dispatch.chat.text_model import ModelFailed, TextModel
from dispatch.chat.tools import Toolbox, ToolSource
from dispatch.conversations import ChatTurn, Conversation, Item, Message, Role, answer_id_of
from dispatch.errors import Conflict, InvalidField, NotFound, StoreUnavailable
from dispatch.store.conversation_leases import LIFE_S, ConversationLease, ConversationLeases
from dispatch.store.engine import Database
from dispatch.store.repositories import chat_turns, conversations

logger = logging.getLogger(__name__)

LONGEST_MESSAGE: Final = 10_000
"""Characters. Source: TalkifAI."""

PATIENCE_S: Final = 5.0
"""How long a message waits for the one before it to be answered."""

LONGEST_TURN_S: Final = 120.0

_EXTEND_EVERY_S: Final = LIFE_S / 3
_FAREWELL_S: Final = 10.0
"""How long answers may still take when the process is asked to stop."""

_SORRY: Final = "Something went wrong while answering. Please try again."


class ModelSource(Protocol):
    """Where the model of a conversation's agent comes from."""

    async def model_of(self, conversation: Conversation) -> TextModel:
        """Return the agent's model, ready to be asked.

        Raises:
            ModelUnavailable: The project has no key for it, or it is none for chats.
        """
        ...


@dataclass(slots=True)
class Turn:
    """A message that was taken, and its answer as it happens."""

    id: uuid.UUID
    """The message's."""
    operation_id: uuid.UUID = field(default_factory=uuid.uuid4)
    """Of the charge; an answer that was cut off and is begun again is another one."""
    _happening: asyncio.Queue[ChatEvent | None] = field(default_factory=asyncio.Queue)

    async def events(self) -> AsyncGenerator[ChatEvent]:
        """Yield what happens; leaving early does not stop it."""
        while (event := await self._happening.get()) is not None:
            yield event

    def tell(self, *events: ChatEvent | None) -> None:
        """Let the listener know; None is the end."""
        for event in events:
            self._happening.put_nowait(event)


class ChatTurns:
    """Answers to messages.

    Args:
        database: Where conversations live.
        leases: One message of a conversation at a time.
        charges: Who pays.
        models: Who answers.
        tools: What may be used for it.
        patience_s: How long a message waits for the one before it.
    """

    def __init__(
        self,
        database: Database,
        leases: ConversationLeases,
        charges: ChatCharges,
        models: ModelSource,
        tools: ToolSource,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._database = database
        self._leases = leases
        self._charges = charges
        self._models = models
        self._tools = tools
        self._patience_s = patience_s
        self._running: set[asyncio.Task[None]] = set()

    async def begin(self, conversation_id: uuid.UUID, text: str, turn_id: uuid.UUID) -> Turn:
        """Take a message; its answer is under way when this returns.

        Args:
            conversation_id: In which conversation.
            text: 1 to `LONGEST_MESSAGE` characters.
            turn_id: The message's id; with one that was answered before, that answer is told again
                and nothing is charged.

        Raises:
            InvalidField: The text is empty or too long.
            NotFound: There is no such conversation, or it is over.
            Conflict: The message before it is still being answered, or `turn_id` was another's.
            InsufficientCredits: The balance does not cover an answer; no model was asked.
            ModelUnavailable: The agent has no model that can be asked.
        """
        _check_text(text)
        async with self._database.reading() as db:
            found = await conversations.find_conversation(db, conversation_id)
        if found is None:
            raise NotFound("session", conversation_id)
        require_open(found)
        lease = await self._leases.acquire(conversation_id, patience_s=self._patience_s)
        if lease is None:
            raise Conflict("Another message of this session is being answered; wait for its end.")
        try:
            return await self._begin(lease, found, text, turn_id)
        except BaseException:
            await _let_go(lease)
            raise

    async def aclose(self, *, patience_s: float = _FAREWELL_S) -> None:
        """Let the answers under way come to their end, for a while; then close their tools."""
        if self._running:
            await asyncio.wait(self._running, timeout=patience_s)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._tools.aclose()

    async def _begin(
        self, lease: ConversationLease, conversation: Conversation, text: str, turn_id: uuid.UUID
    ) -> Turn:
        turn = Turn(turn_id)
        told_before = await self._told_before(conversation, text, turn_id)
        if told_before:
            turn.tell(*told_before, None)
            await _let_go(lease)
            return turn
        model = await self._models.model_of(conversation)
        toolbox = Toolbox(await self._tools.tools_of(conversation))
        await self._charges.reserve(conversation, turn.operation_id)
        try:
            history = await self._take(conversation, text, turn_id, model.memory)
        except BaseException:
            # What cannot be given back now lapses by itself.
            with suppress(StoreUnavailable):
                await self._charges.release(conversation, turn.operation_id)
            raise
        answering = Answering(model, toolbox, instructions_of(conversation), history)
        task = asyncio.create_task(self._run(turn, conversation, lease, model, answering))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return turn

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("An answer could not be completed.", exc_info=task.exception())

    async def _take(
        self, conversation: Conversation, text: str, turn_id: uuid.UUID, memory: int
    ) -> Sequence[Item]:
        """Write the message down, once, and return the conversation up to it."""
        async with self._database.transaction() as db:
            current = await conversations.find_conversation(db, conversation.id, for_update=True)
            if current is None:
                raise NotFound("session", conversation.name)
            require_open(current)
            # A message whose answer was cut off by a crash is there already.
            if await conversations.find_message(db, conversation.id, turn_id) is None:
                said = Item(role=Role.USER, content=text)
                await conversations.append_items(db, conversation.id, [said], first_id=turn_id)
            return await conversations.last_messages(db, conversation.id, memory)

    async def _told_before(
        self, conversation: Conversation, text: str, turn_id: uuid.UUID
    ) -> list[ChatEvent]:
        """Return how a message was answered before; nothing if it was not."""
        async with self._database.reading() as db:
            message = await conversations.find_message(db, conversation.id, turn_id)
            if message is not None and message.content != text:
                raise Conflict("This idempotency key came with another message before.")
            end = await chat_turns.find_end(db, turn_id)
            if message is None or end is None:
                return []
            later = await conversations.messages_from(db, conversation.id, message.position + 1)
        usage, end_session = end
        texts = [item.content for item in _answer_in(later) if item.content]
        said = [Chunk(apart(before, text)) for before, text in pairwise(["", *texts])]
        return [
            StreamStart(conversation.agent.name),
            *said,
            StreamEnd(usage=usage, end_session=end_session),
        ]

    async def _run(
        self,
        turn: Turn,
        conversation: Conversation,
        lease: ConversationLease,
        model: TextModel,
        answering: Answering,
    ) -> None:
        """Answer, write down, charge, let the next message in; then tell that it is over."""
        last: ChatEvent = ChatError(_SORRY)
        try:
            turn.tell(StreamStart(conversation.agent.name))
            completed = await self._answer(turn, conversation, lease, answering)
            kept = await self._keep(turn, conversation, model, answering)
            if completed and kept:
                last = StreamEnd(usage=answering.usage, end_session=answering.ends)
        except StoreUnavailable:
            logger.warning(
                "An answer could not be written down.",
                extra={"conversation_id": str(conversation.id)},
            )
        finally:
            await _let_go(lease)
            turn.tell(last, None)

    async def _answer(
        self,
        turn: Turn,
        conversation: Conversation,
        lease: ConversationLease,
        answering: Answering,
    ) -> bool:
        """Let the answer grow, telling it; whether it was completed."""
        reason = ""
        try:
            async with (
                asyncio.timeout(LONGEST_TURN_S) as deadline,
                _extended(lease, deadline),
                aclosing(answering.grow()) as events,
            ):
                async for event in events:
                    turn.tell(event)
        except ModelFailed as exc:
            reason = str(exc)
        except TimeoutError:
            reason = "It took too long, or the lease was lost."
        except asyncio.CancelledError:
            # The process stops: what there is of the answer is kept all the same.
            reason = "The process was stopped."
        except Exception:
            logger.exception("An answer failed.", extra={"conversation_id": str(conversation.id)})
            answering.break_off()
            return False
        if reason:
            answering.break_off()
            logger.warning(
                "An answer broke off.",
                extra={"conversation_id": str(conversation.id), "reason": reason},
            )
        return not reason

    async def _keep(
        self, turn: Turn, conversation: Conversation, model: TextModel, answering: Answering
    ) -> bool:
        """Write down what was said and what it took, and charge it.

        Returns:
            False when another answer to the message was first, written by who held the lease after
            this process had lost it: only that one is on record, and only that one costs anything.
        """
        record = ChatTurn(
            id=turn.id,
            operation_id=turn.operation_id,
            conversation_id=conversation.id,
            organization_id=conversation.organization_id,
            project_id=conversation.project_id,
            agent_id=conversation.agent.agent_id,
            provider=model.provider,
            model=model.name,
            own_key=model.own_key,
            usage=answering.usage,
            at=datetime.now(UTC),
        )
        if answering.items and not await self._write(record, answering):
            # What cannot be given back now lapses by itself.
            with suppress(StoreUnavailable):
                await self._charges.release(conversation, turn.operation_id)
            logger.warning(
                "An answer was not kept, the message has another.",
                extra={"conversation_id": str(conversation.id)},
            )
            return False
        try:
            cost_microcredits = await self._charges.charge(record)
            async with self._database.transaction() as db:
                await chat_turns.mark_charged(db, turn.operation_id, cost_microcredits)
        except StoreUnavailable:
            logger.warning(
                "An answer is not charged yet.", extra={"conversation_id": str(conversation.id)}
            )
        return True

    async def _write(self, record: ChatTurn, answering: Answering) -> bool:
        """Write an answer down unless the message has one; return whether it is this one."""
        retries = AsyncRetrying(
            retry=retry_if_exception_type(StoreUnavailable),
            stop=stop_after_attempt(3),
            wait=wait_fixed(1),
            reraise=True,
        )
        async for attempt in retries:
            with attempt:
                async with self._database.transaction() as db:
                    # Two answers to one message are written one after the other.
                    await conversations.find_conversation(
                        db, record.conversation_id, for_update=True
                    )
                    # After a connection lost in the commit it may be there already.
                    there = await chat_turns.find_operation(db, record.id)
                    if there is not None:
                        return there == record.operation_id
                    await conversations.append_items(
                        db,
                        record.conversation_id,
                        answering.items,
                        answer_id=answer_id_of(record.id),
                        token_count=answering.usage.output_tokens,
                    )
                    await chat_turns.insert_turn(db, record, end_session=answering.ends)
                    if answering.takeover is not None:
                        await conversations.hand_over(
                            db, record.conversation_id, answering.takeover.agent
                        )
        return True


@asynccontextmanager
async def _extended(lease: ConversationLease, deadline: asyncio.Timeout) -> AsyncGenerator[None]:
    """Keep a lease for the length of the block; a lease that is lost ends the block at once."""

    async def extend() -> None:
        while True:
            await asyncio.sleep(_EXTEND_EVERY_S)
            # While Redis is away nobody else can take the lease either.
            with suppress(StoreUnavailable):
                if not await lease.extend():
                    deadline.reschedule(asyncio.get_running_loop().time())
                    return

    extending = asyncio.create_task(extend())
    try:
        yield
    finally:
        extending.cancel()
        await asyncio.gather(extending, return_exceptions=True)


async def _let_go(lease: ConversationLease) -> None:
    # A lease that cannot be released lapses by itself.
    with suppress(StoreUnavailable):
        await lease.release()


def _answer_in(later: Sequence[Message]) -> Sequence[Message]:
    """Return the items of an answer from those after its message: up to the user's next one."""
    ends = [index for index, item in enumerate(later) if item.role is Role.USER]
    answer = later[: ends[0]] if ends else later
    return [item for item in answer if item.role is Role.ASSISTANT]


def _check_text(text: str) -> None:
    if not text.strip():
        raise InvalidField("message", "message must not be empty.")
    if len(text) > LONGEST_MESSAGE:
        raise InvalidField("message", f"Message too long (max {LONGEST_MESSAGE} characters)")
