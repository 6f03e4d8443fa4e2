"""Chats from their opening to their end."""

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dispatch.accounts import Principal
from dispatch.agent_profile import GreetingMode
from dispatch.chat.charging import ChatCharges
from dispatch.conversations import ClosedBy, Conversation, Item, Message, Role
from dispatch.errors import (
    AgentIsForCalls,
    AgentNotChatReady,
    BalanceUnknown,
    NotFound,
    StoreUnavailable,
)
from dispatch.paging import Order, Page, PageRequest
from dispatch.store.engine import Database
from dispatch.store.repositories import agents, chat_turns, conversations, keys, tools
from dispatch.store.repositories.conversations import ConversationFilters
from dispatch.variables import Occasion, session_variables

__all__ = ["IDLE_AFTER", "ChatSessions", "ConversationFilters", "Expired"]

logger = logging.getLogger(__name__)

IDLE_AFTER: Final = timedelta(minutes=30)
"""A conversation in which nothing is written for so long is over. Source: TalkifAI."""

_OVERDUE: Final = timedelta(minutes=1)
"""A turn is charged as it ends; one that is still due so long after was cut off by a crash."""

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Expired:
    """What a run of the expiry did."""

    closed: int
    settled: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A conversation, and what the key allows with which it was opened."""

    conversation: Conversation
    is_allowed: bool
    """False once the key is revoked or has expired: what it opened ends with it."""
    allowed_origins: tuple[str, ...]
    """The domains that the key is locked to; empty when it is not."""


class ChatSessions:
    """Conversations of projects' agents.

    Args:
        database: Where they live.
        charges: Who pays.
    """

    def __init__(self, database: Database, charges: ChatCharges) -> None:
        self._database = database
        self._charges = charges

    async def open(
        self,
        principal: Principal,
        agent_id: uuid.UUID,
        new_id: uuid.UUID,
        *,
        platform: str = "WEB",
        metadata: dict[str, Any] | None = None,
        user_identifier: str | None = None,
        text_only: bool = False,
    ) -> tuple[Conversation, str | None]:
        """Open a conversation and return it with the agent's greeting, if it speaks first.

        The agent stays as it is now to the end of the conversation.

        Args:
            principal: Owner of the agent and payer of the conversation.
            agent_id: An agent of the owner's project, for voice or not.
            new_id: The conversation's id; opening it again returns the first one.
            platform: Where it takes place, in one word.
            metadata: Kept with the conversation; its values are variables of the prompt.
            user_identifier: Whom the client says the user is.
            text_only: Whether an agent for voice is refused.

        Raises:
            NotFound: No such agent in the owner's project.
            AgentNotChatReady: The agent is inactive.
            AgentIsForCalls: The agent is for voice, and `text_only` is set.
            InsufficientCredits: Nothing could be paid for, or the balance is unknown.
        """
        async with self._database.reading() as db:
            found = await agents.find_agent(db, principal.project_id, agent_id)
            if found is None:
                raise NotFound("agent", agent_id)
            [agent] = await tools.with_tools(db, [found])
        if not agent.is_active:
            raise AgentNotChatReady("The agent is inactive.")
        if text_only and agent.voice_enabled:
            raise AgentIsForCalls("The agent is for calls.")
        await self._charges.require_credit(principal.organization_id)
        user_id = f"{principal.key_id.hex[:8]}{new_id.hex[:8]}"
        new = conversations.NewConversation(
            id=new_id,
            name=f"chat_{agent_id.hex[:8]}_{user_id}_{time.time_ns() // 1_000_000}",
            key_id=None if principal.kind == "user" else principal.key_id,
            user_id=user_id,
            user_identifier=user_identifier,
            platform=platform,
            metadata=metadata or {},
            agent=agent,
        )
        async with self._database.transaction() as db:
            if await conversations.insert_conversation(db, new):
                opened = await conversations.find_conversation(db, new_id)
                greeting = None if opened is None else greeting_of(opened)
                if greeting is not None:
                    said = Item(role=Role.ASSISTANT, content=greeting)
                    await conversations.append_items(db, new_id, [said])
        conversation = await self.get(principal, new_id)
        return conversation, greeting_of(conversation)

    async def get(self, principal: Principal, conversation_id: uuid.UUID) -> Conversation:
        """Return a conversation, open or closed.

        Raises:
            NotFound: The project has no such conversation.
        """
        async with self._database.reading() as db:
            found = await conversations.find_conversation(
                db, conversation_id, project_id=principal.project_id
            )
        if found is None:
            raise NotFound("session", conversation_id)
        return found

    async def join(self, name: str) -> Joined:
        """Return a conversation by its public name, for whoever proved to take part in it.

        Raises:
            NotFound: There is no such conversation.
        """
        async with self._database.reading() as db:
            found = await conversations.find_conversation(db, name)
            if found is None:
                raise NotFound("session", name)
            if found.key_id is None:
                return Joined(found, is_allowed=True, allowed_origins=())
            owned = await keys.find_key(db, found.key_id)
        if owned is None:
            return Joined(found, is_allowed=False, allowed_origins=())
        expires_at = owned.key.expires_at
        has_expired = expires_at is not None and expires_at <= datetime.now(UTC)
        is_allowed = owned.key.revoked_at is None and not has_expired
        return Joined(found, is_allowed, owned.key.allowed_origins)

    async def list(
        self,
        principal: Principal,
        page: PageRequest,
        filters: ConversationFilters | None = None,
        order: Order | None = None,
    ) -> Page[Conversation]:
        """Return a page of the project's conversations, newest first unless in another order.

        Raises:
            InvalidField: Conversations cannot be put in this order.
        """
        async with self._database.reading() as db:
            return await conversations.list_conversations(
                db, principal.project_id, filters or ConversationFilters(), page, order
            )

    async def messages(self, conversation_id: uuid.UUID, page: PageRequest) -> Page[Message]:
        """Return a page of what was said, oldest first; what tools said is not part of it."""
        async with self._database.reading() as db:
            return await conversations.list_spoken(db, conversation_id, page)

    async def history(
        self, conversation_id: uuid.UUID, *, offset: int, limit: int
    ) -> Sequence[Message]:
        """Return a stretch of what was said, oldest first.

        Args:
            conversation_id: Which conversation.
            offset: Messages before the stretch; below 0 the stretch is the end of the history.
            limit: Messages at most.
        """
        async with self._database.reading() as db:
            return await conversations.spoken_messages(
                db, conversation_id, offset=offset, limit=limit
            )

    async def end(
        self, conversation_id: uuid.UUID, closed_by: ClosedBy = ClosedBy.CLIENT
    ) -> Conversation:
        """Close a conversation, settle what it cost, and return it; a second time nothing happens.

        An answer that is on its way is still written down and charged. When Redis is away, the
        conversation is over all the same and settled once Redis is back.

        Raises:
            NotFound: There is no such conversation.
        """
        async with self._database.transaction() as db:
            await conversations.close_conversation(db, conversation_id, closed_by)
        try:
            await self.settle(conversation_id)
        except StoreUnavailable:
            logger.warning(
                "A chat is over but not settled yet.",
                extra={"conversation_id": str(conversation_id)},
            )
        async with self._database.reading() as db:
            ended = await conversations.find_conversation(db, conversation_id)
        if ended is None:
            raise NotFound("session", conversation_id)
        return ended

    async def settle(self, conversation_id: uuid.UUID) -> int:
        """Charge what was not charged yet; return how many answers that were.

        Raises:
            StoreUnavailable: Some may still be due; to be repeated.
        """
        async with self._database.reading() as db:
            due = await chat_turns.list_due(db, conversation_id)
        for turn in due:
            cost_microcredits = await self._charges.charge(turn)
            async with self._database.transaction() as db:
                await chat_turns.mark_charged(db, turn.operation_id, cost_microcredits)
        return len(due)

    async def run_once(self) -> Expired:
        """Close conversations that fell silent, and charge what a crash left uncharged.

        Raises:
            StoreUnavailable: Not all of it was done; the next run goes on.
        """
        now = datetime.now(UTC)
        async with self._database.reading() as db:
            idle = await conversations.list_idle(db, now - IDLE_AFTER, _BATCH)
            due = await chat_turns.list_conversations_due(db, now - _OVERDUE, _BATCH)
        for conversation_id in idle:
            await self.end(conversation_id, ClosedBy.IDLE)
        settled = 0
        failure: BalanceUnknown | None = None
        for conversation_id in due:
            try:
                settled += await self.settle(conversation_id)
            except BalanceUnknown as exc:
                # Others' are known.
                failure = exc
        if failure is not None:
            raise failure
        return Expired(len(idle), settled)


def require_open(conversation: Conversation) -> Conversation:
    """Return the conversation if something may still be written in it.

    Raises:
        NotFound: It was ended, or nothing was written for `IDLE_AFTER`.
    """
    silent_since = conversation.last_active_at + IDLE_AFTER
    if conversation.closed_at is not None or silent_since < datetime.now(UTC):
        raise NotFound("session", conversation.name)
    return conversation


def greeting_of(conversation: Conversation) -> str | None:
    """Return what the agent says first, or None when it waits for the user.

    A greeting that the agent is to make up belongs to calls: a chat would have to wait for it.
    """
    agent = conversation.agent
    if agent.greeting_mode is not GreetingMode.SAY:
        return None
    return agent.filled(agent.greeting, variables_of(conversation)) or None


def instructions_of(conversation: Conversation) -> str:
    """Return what the agent's model is told in this conversation."""
    return conversation.agent.instructions(variables_of(conversation))


def variables_of(conversation: Conversation) -> dict[str, str]:
    """Return what the agent's texts may name: what the client sent along, and the occasion.

    Source: Agntix's `sessionVariables`; other keys of the metadata serve just the same.
    """
    occasion = Occasion(
        at=conversation.created_at,
        session_id=conversation.name,
        platform=conversation.platform,
        direction="INBOUND",
    )
    metadata = dict(conversation.metadata)
    given = metadata.pop("sessionVariables", {})
    own = given if isinstance(given, dict) else {}
    return session_variables({**metadata, **own}, occasion)
