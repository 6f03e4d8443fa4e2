"""What the answers of chats took, in Postgres."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.conversations import ChatTurn, TokenUsage
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, AnySelect
from dispatch.store.tables import ChatTurnRow, ConversationRow


async def insert_turn(db: WriteSession, turn: ChatTurn, *, end_session: bool) -> None:
    """Write down what an answer took, once; it stays due until it is charged."""
    statement = insert(ChatTurnRow).values(
        id=turn.id,
        operation_id=turn.operation_id,
        conversation_id=turn.conversation_id,
        provider=turn.provider,
        model=turn.model,
        own_key=turn.own_key,
        input_tokens=turn.usage.input_tokens,
        cached_input_tokens=turn.usage.cached_input_tokens,
        output_tokens=turn.usage.output_tokens,
        end_session=end_session,
    )
    await db.execute(statement.on_conflict_do_nothing(index_elements=[ChatTurnRow.id]))


async def find_end(db: ReadSession, turn_id: uuid.UUID) -> tuple[TokenUsage, bool] | None:
    """Return what an answer took and whether it ended the conversation; None before it is over."""
    row = await db.get(ChatTurnRow, turn_id)
    return None if row is None else (_usage_of(row), row.end_session)


async def list_due(db: ReadSession, conversation_id: uuid.UUID) -> Sequence[ChatTurn]:
    """Return the answers of a conversation that were not charged yet, oldest first."""
    query = _turns().where(ChatTurnRow.conversation_id == conversation_id)
    return [_to_turn(row) for row in await db.execute(query.order_by(ChatTurnRow.at))]


async def list_conversations_due(
    db: ReadSession, before: datetime, limit: int
) -> Sequence[uuid.UUID]:
    """Return conversations with answers that should have been charged by now."""
    query = (
        select(ChatTurnRow.conversation_id)
        .where(ChatTurnRow.cost_microcredits.is_(None), ChatTurnRow.at < before)
        .distinct()
        .limit(limit)
    )
    return (await db.scalars(query)).all()


async def find_operation(db: ReadSession, turn_id: uuid.UUID) -> uuid.UUID | None:
    """Return by which id the answer on record to a message is charged; None without an answer."""
    row = await db.get(ChatTurnRow, turn_id)
    return None if row is None else row.operation_id


async def mark_charged(db: WriteSession, operation_id: uuid.UUID, cost_microcredits: int) -> None:
    """Note what was charged for an answer; nothing for one that is not on record."""
    await db.execute(
        update(ChatTurnRow)
        .where(ChatTurnRow.operation_id == operation_id)
        .values(cost_microcredits=cost_microcredits)
    )


def _turns() -> AnySelect:
    return (
        select(
            ChatTurnRow,
            ConversationRow.organization_id,
            ConversationRow.project_id,
            ConversationRow.agent_id,
        )
        .join(ConversationRow, ConversationRow.id == ChatTurnRow.conversation_id)
        .where(ChatTurnRow.cost_microcredits.is_(None))
    )


def _to_turn(row: AnyRow) -> ChatTurn:
    turn, organization_id, project_id, agent_id = row
    return ChatTurn(
        id=turn.id,
        operation_id=turn.operation_id,
        conversation_id=turn.conversation_id,
        organization_id=organization_id,
        project_id=project_id,
        agent_id=agent_id,
        provider=turn.provider,
        model=turn.model,
        own_key=turn.own_key,
        usage=_usage_of(turn),
        at=turn.at,
    )


def _usage_of(row: ChatTurnRow) -> TokenUsage:
    return TokenUsage(row.input_tokens, row.output_tokens, row.cached_input_tokens)
