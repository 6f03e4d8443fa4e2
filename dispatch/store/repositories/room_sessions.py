"""Room sessions in Postgres."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from dispatch.errors import Conflict
from dispatch.room_session import RoomSession, RoomTurn, SessionType
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.tables import RoomSessionRow, RoomSessionTurnRow


@dataclass(frozen=True, slots=True)
class NewRoomSession:
    """A session to store."""

    id: uuid.UUID
    project_id: uuid.UUID
    room_name: str
    agent_config_id: int | None
    caller_identity: str | None
    session_type: SessionType
    metadata: dict[str, Any]


async def insert_room_session(db: WriteSession, new: NewRoomSession) -> RoomSession:
    """Store a session that begins now; stored again under its id, it stays as it is.

    Raises:
        Conflict: The room has a session that goes on.
    """
    statement = (
        insert(RoomSessionRow)
        .values(
            id=new.id,
            project_id=new.project_id,
            room_name=new.room_name,
            agent_config_id=new.agent_config_id,
            caller_identity=new.caller_identity,
            session_type=new.session_type,
            session_metadata=new.metadata,
        )
        .on_conflict_do_nothing(index_elements=[RoomSessionRow.id])
    )
    try:
        await db.execute(statement)
    except IntegrityError as exc:
        raise Conflict("The room has a session that goes on; end it first.") from exc
    row = await db.get_one(RoomSessionRow, new.id)
    return _to_session(row)


async def find_newest(
    db: ReadSession, project_id: uuid.UUID, room_name: str, *, for_update: bool = False
) -> RoomSession | None:
    """Return the room's session that goes on, else its last one; None when it had none."""
    query = (
        select(RoomSessionRow)
        .where(RoomSessionRow.project_id == project_id, RoomSessionRow.room_name == room_name)
        .order_by(RoomSessionRow.ended_at.is_not(None), RoomSessionRow.started_at.desc())
        .limit(1)
    )
    if for_update:
        query = query.with_for_update()
    row = (await db.execute(query)).scalar_one_or_none()
    return None if row is None else _to_session(row)


async def insert_turn(db: WriteSession, session_id: uuid.UUID, turn: RoomTurn) -> None:
    """Store a turn, once for its id."""
    statement = insert(RoomSessionTurnRow).values(
        id=turn.id,
        session_id=session_id,
        speaker=turn.speaker,
        content=turn.content,
        timestamp_ms=turn.timestamp_ms,
        is_final=turn.is_final,
    )
    await db.execute(statement.on_conflict_do_nothing(index_elements=[RoomSessionTurnRow.id]))


async def end_room_session(
    db: WriteSession, session_id: uuid.UUID, summary: str | None, duration_s: int | None
) -> RoomSession:
    """Mark a session as over; its duration is counted unless one is given."""
    counted = func.floor(func.extract("epoch", func.now() - RoomSessionRow.started_at))
    statement = (
        update(RoomSessionRow)
        .where(RoomSessionRow.id == session_id)
        .values(
            ended_at=func.now(),
            summary=summary,
            duration_s=counted if duration_s is None else duration_s,
        )
        .returning(RoomSessionRow)
        .execution_options(populate_existing=True)
    )
    return _to_session((await db.execute(statement)).scalar_one())


def _to_session(row: RoomSessionRow) -> RoomSession:
    session_type: Any = row.session_type
    started_at: datetime = row.started_at
    return RoomSession(
        id=row.id,
        room_name=row.room_name,
        agent_config_id=row.agent_config_id,
        caller_identity=row.caller_identity,
        session_type=session_type,
        metadata=row.session_metadata,
        started_at=started_at,
        ended_at=row.ended_at,
        duration_s=row.duration_s,
        summary=row.summary,
    )
