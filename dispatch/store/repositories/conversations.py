"""Chats in Postgres."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.agent_profile import AgentProfile
from dispatch.conversations import (
    ClosedBy,
    Conversation,
    Item,
    Message,
    Role,
    TokenUsage,
    ToolRequest,
)
from dispatch.paging import Order, Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, AnySelect, fetch_page, ordered
from dispatch.store.tables import ChatMessageRow, ChatTurnRow, ConversationRow


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConversation:
    """A conversation to open."""

    id: uuid.UUID
    name: str
    key_id: uuid.UUID | None
    user_id: str
    user_identifier: str | None
    platform: str
    metadata: dict[str, Any]
    agent: AgentProfile


@dataclass(frozen=True, slots=True)
class ConversationFilters:
    """Which conversations of a project a list shows; None does not ask."""

    agent_id: uuid.UUID | None = None
    platform: str | None = None
    is_open: bool | None = None


def _summed(column: Any) -> Any:
    return (
        select(func.coalesce(func.sum(column), 0))
        .where(ChatTurnRow.conversation_id == ConversationRow.id)
        .correlate(ConversationRow)
        .scalar_subquery()
    )


_CONVERSATION = (
    ConversationRow,
    _summed(ChatTurnRow.input_tokens),
    _summed(ChatTurnRow.output_tokens),
    _summed(ChatTurnRow.cached_input_tokens),
    _summed(ChatTurnRow.cost_microcredits),
)


async def insert_conversation(db: WriteSession, new: NewConversation) -> bool:
    """Store a conversation; False when it is there already."""
    statement = insert(ConversationRow).values(
        id=new.id,
        name=new.name,
        organization_id=new.agent.organization_id,
        project_id=new.agent.project_id,
        key_id=new.key_id,
        agent_id=new.agent.agent_id,
        user_id=new.user_id,
        user_identifier=new.user_identifier,
        platform=new.platform,
        chat_metadata=new.metadata,
        agent=new.agent.model_dump(mode="json"),
    )
    stored = await db.execute(
        statement.on_conflict_do_nothing(index_elements=[ConversationRow.id]).returning(
            ConversationRow.id
        )
    )
    return stored.one_or_none() is not None


async def hand_over(db: WriteSession, conversation_id: uuid.UUID, agent: AgentProfile) -> None:
    """Let another agent go on with a conversation, from its next message."""
    await db.execute(
        update(ConversationRow)
        .where(ConversationRow.id == conversation_id)
        .values(agent=agent.model_dump(mode="json"))
    )


async def find_conversation(
    db: ReadSession,
    conversation_id: uuid.UUID | str,
    *,
    project_id: uuid.UUID | None = None,
    for_update: bool = False,
) -> Conversation | None:
    """Return a conversation.

    Args:
        db: An open transaction; a writing one if the conversation is to be locked.
        conversation_id: Its id, or its public name.
        project_id: Whose it has to be; None for anybody's.
        for_update: Let nobody else change it before the end of the transaction.
    """
    by_name = isinstance(conversation_id, str)
    column = ConversationRow.name if by_name else ConversationRow.id
    query = select(*_CONVERSATION).where(column == conversation_id)
    if project_id is not None:
        query = query.where(ConversationRow.project_id == project_id)
    if for_update:
        query = query.with_for_update(of=ConversationRow)
    row = (await db.execute(query)).one_or_none()
    return None if row is None else _to_conversation(row)


async def list_conversations(
    db: ReadSession,
    project_id: uuid.UUID,
    filters: ConversationFilters,
    page: PageRequest,
    order: Order | None = None,
) -> Page[Conversation]:
    """Return a page of a project's conversations, newest first unless another order is wanted."""
    query: AnySelect = select(*_CONVERSATION).where(ConversationRow.project_id == project_id)
    if filters.agent_id is not None:
        query = query.where(ConversationRow.agent_id == filters.agent_id)
    if filters.platform is not None:
        query = query.where(ConversationRow.platform == filters.platform)
    if filters.is_open is not None:
        query = query.where(
            ConversationRow.closed_at.is_(None)
            if filters.is_open
            else ConversationRow.closed_at.is_not(None)
        )
    columns = {
        "created_at": ConversationRow.created_at,
        "last_active_at": ConversationRow.last_active_at,
    }
    in_order = ordered(query, order, columns, ConversationRow.id)
    return await fetch_page(db, in_order, page, _to_conversation)


async def list_idle(db: ReadSession, before: datetime, limit: int) -> Sequence[uuid.UUID]:
    """Return open conversations in which nothing has happened since, longest silent first."""
    query = (
        select(ConversationRow.id)
        .where(ConversationRow.closed_at.is_(None), ConversationRow.last_active_at < before)
        .order_by(ConversationRow.last_active_at)
        .limit(limit)
    )
    return (await db.scalars(query)).all()


async def close_conversation(
    db: WriteSession, conversation_id: uuid.UUID, closed_by: ClosedBy
) -> bool:
    """Close a conversation; False when it was closed already."""
    closed = await db.execute(
        update(ConversationRow)
        .where(ConversationRow.id == conversation_id, ConversationRow.closed_at.is_(None))
        .values(closed_at=func.now(), closed_by=closed_by.value)
        .returning(ConversationRow.id)
    )
    return closed.one_or_none() is not None


async def append_items(
    db: WriteSession,
    conversation_id: uuid.UUID,
    items: Sequence[Item],
    *,
    first_id: uuid.UUID | None = None,
    answer_id: uuid.UUID | None = None,
    token_count: int | None = None,
) -> None:
    """Write what was said behind what was said before, and note that the conversation lives.

    Args:
        db: The transaction.
        conversation_id: Which conversation; its row stays locked until the commit.
        items: In their order.
        first_id: The id of the first item; each of the others gets one of its own.
        answer_id: The id of the last words of the assistant's.
        token_count: Tokens of the whole answer, kept with its last item.
    """
    length = await db.scalar(
        update(ConversationRow)
        .where(ConversationRow.id == conversation_id)
        .values(message_count=ConversationRow.message_count + len(items), last_active_at=func.now())
        .returning(ConversationRow.message_count)
    )
    position = (length or 0) - len(items)
    ids = [uuid.uuid4() for _ in items]
    if first_id is not None:
        ids[0] = first_id
    spoken = [at for at, item in enumerate(items) if item.role is Role.ASSISTANT and item.content]
    if answer_id is not None and spoken:
        ids[spoken[-1]] = answer_id
    # Items of one answer share its commit; their order is their position.
    rows = [
        {
            "id": ids[index],
            "conversation_id": conversation_id,
            "position": position + index,
            "role": item.role.value,
            "content": item.content,
            "tool_requests": _to_json(item.tool_requests),
            "request_id": item.request_id,
            "failed": item.failed,
            "token_count": token_count if index == len(items) - 1 else None,
        }
        for index, item in enumerate(items)
    ]
    if rows:
        await db.execute(insert(ChatMessageRow), rows)


async def find_message(
    db: ReadSession, conversation_id: uuid.UUID, message_id: uuid.UUID
) -> Message | None:
    """Return a message of a conversation."""
    query = select(ChatMessageRow).where(
        ChatMessageRow.conversation_id == conversation_id, ChatMessageRow.id == message_id
    )
    row = (await db.execute(query)).scalar_one_or_none()
    return None if row is None else _to_message(row)


async def last_messages(
    db: ReadSession, conversation_id: uuid.UUID, limit: int
) -> Sequence[Message]:
    """Return the last items of a conversation, of every role, oldest first."""
    query = (
        select(ChatMessageRow)
        .where(ChatMessageRow.conversation_id == conversation_id)
        .order_by(ChatMessageRow.position.desc())
        .limit(limit)
    )
    rows = (await db.scalars(query)).all()
    return [_to_message(row) for row in reversed(rows)]


async def messages_from(
    db: ReadSession, conversation_id: uuid.UUID, position: int
) -> Sequence[Message]:
    """Return the items of a conversation from a position on, of every role, oldest first."""
    query = (
        select(ChatMessageRow)
        .where(
            ChatMessageRow.conversation_id == conversation_id, ChatMessageRow.position >= position
        )
        .order_by(ChatMessageRow.position)
    )
    return [_to_message(row) for row in (await db.scalars(query)).all()]


async def spoken_messages(
    db: ReadSession, conversation_id: uuid.UUID, *, offset: int, limit: int
) -> Sequence[Message]:
    """Return what user and agent said to each other, oldest first; the end if `offset` is < 0."""
    query = _spoken(conversation_id).limit(limit)
    if offset < 0:
        rows = await db.execute(query.order_by(ChatMessageRow.position.desc()))
        return [_to_message(row) for (row,) in reversed(rows.all())]
    rows = await db.execute(query.order_by(ChatMessageRow.position).offset(offset))
    return [_to_message(row) for (row,) in rows]


async def list_spoken(
    db: ReadSession, conversation_id: uuid.UUID, page: PageRequest
) -> Page[Message]:
    """Return a page of what user and agent said to each other, oldest first."""
    query = _spoken(conversation_id).order_by(ChatMessageRow.position)
    return await fetch_page(db, query, page, _first_as_message)


def _spoken(conversation_id: uuid.UUID) -> AnySelect:
    return select(ChatMessageRow).where(
        ChatMessageRow.conversation_id == conversation_id,
        ChatMessageRow.role != Role.TOOL.value,
        # An assistant that only asked for a tool has said nothing.
        ChatMessageRow.content != "",
    )


def _to_conversation(row: AnyRow) -> Conversation:
    stored, input_tokens, output_tokens, cached_input_tokens, cost = row
    return Conversation(
        id=stored.id,
        name=stored.name,
        organization_id=stored.organization_id,
        project_id=stored.project_id,
        key_id=stored.key_id,
        user_id=stored.user_id,
        user_identifier=stored.user_identifier,
        platform=stored.platform,
        metadata=stored.chat_metadata,
        agent=AgentProfile.model_validate(stored.agent),
        message_count=stored.message_count,
        usage=TokenUsage(int(input_tokens), int(output_tokens), int(cached_input_tokens)),
        cost_microcredits=int(cost),
        created_at=stored.created_at,
        last_active_at=stored.last_active_at,
        closed_at=stored.closed_at,
        closed_by=None if stored.closed_by is None else ClosedBy(stored.closed_by),
    )


def _first_as_message(row: AnyRow) -> Message:
    return _to_message(row[0])


def _to_message(row: ChatMessageRow) -> Message:
    return Message(
        id=row.id,
        position=row.position,
        role=Role(row.role),
        content=row.content,
        tool_requests=tuple(ToolRequest(**each) for each in row.tool_requests or ()),
        request_id=row.request_id,
        failed=row.failed,
        token_count=row.token_count,
        created_at=row.created_at,
    )


def _to_json(requests: Sequence[ToolRequest]) -> list[dict[str, str]] | None:
    return [
        {
            "request_id": request.request_id,
            "name": request.name,
            "arguments": request.arguments,
        }
        for request in requests
    ] or None
