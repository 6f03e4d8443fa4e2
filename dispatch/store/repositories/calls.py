"""Calls on record, as read by their owners."""

import uuid

from sqlalchemy import func, or_, select

from dispatch.call_history import (
    CallDetails,
    CallEvent,
    CallFilters,
    CallRecord,
    CallStats,
    TranscriptTurn,
)
from dispatch.calls import EventType, RefusalReason
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession
from dispatch.store.repositories import ledger, usage
from dispatch.store.repositories.paged import AnyRow, AnySelect, fetch_page
from dispatch.store.tables import CallEventRow, CallRow, TranscriptTurnRow
from telephony.calls import CallDirection, CallKind, CallState, EndedBy, EndReason


async def list_calls(
    db: ReadSession, project_id: uuid.UUID, filters: CallFilters, page: PageRequest
) -> Page[CallRecord]:
    """Return a page of a project's calls, newest first."""
    query = _filtered(select(CallRow).where(CallRow.project_id == project_id), filters)
    ordered = query.order_by(CallRow.started_at.desc(), CallRow.id.desc())
    return await fetch_page(db, ordered, page, _only_record)


async def sum_calls(db: ReadSession, project_id: uuid.UUID, filters: CallFilters) -> CallStats:
    """Return the sums of some of a project's calls."""
    completed = CallRow.state == CallState.ENDED.value
    duration_s = func.extract("epoch", CallRow.ended_at - CallRow.answered_at)
    query: AnySelect = select(
        func.count(),
        func.count().filter(completed),
        func.coalesce(func.avg(duration_s).filter(completed), 0),
    ).where(CallRow.project_id == project_id)
    total, ended, average_s = (await db.execute(_filtered(query, filters))).one()
    return CallStats(total=total, completed=ended, average_duration_s=float(average_s))


async def find_call(
    db: ReadSession, project_id: uuid.UUID, call_id: uuid.UUID
) -> CallDetails | None:
    """Return a project's call with everything on record about it."""
    query = select(CallRow).where(CallRow.id == call_id, CallRow.project_id == project_id)
    row = (await db.execute(query)).scalar_one_or_none()
    if row is None:
        return None
    turns = await db.execute(
        select(
            TranscriptTurnRow.seq,
            TranscriptTurnRow.speaker,
            TranscriptTurnRow.text,
            TranscriptTurnRow.at,
            TranscriptTurnRow.interrupted,
        )
        .where(TranscriptTurnRow.call_id == call_id)
        .order_by(TranscriptTurnRow.seq)
    )
    events = await db.execute(
        select(CallEventRow.seq, CallEventRow.type, CallEventRow.at, CallEventRow.data)
        .where(CallEventRow.call_id == call_id)
        .order_by(CallEventRow.seq)
    )
    return CallDetails(
        record=_to_record(row),
        transcript=tuple(_to_turn(turn) for turn in turns),
        events=tuple(CallEvent(seq, EventType(kind), at, data) for seq, kind, at, data in events),
        ledger=await ledger.list_of_call(db, call_id),
        usage=await usage.parts_of(db, call_id),
    )


def _filtered(query: AnySelect, filters: CallFilters) -> AnySelect:
    if filters.state is not None:
        query = query.where(CallRow.state == filters.state.value)
    if filters.number is not None:
        query = query.where(
            or_(CallRow.called_number == filters.number, CallRow.caller_number == filters.number)
        )
    if filters.agent_id is not None:
        query = query.where(CallRow.agent_id == filters.agent_id)
    if filters.started_from is not None:
        query = query.where(CallRow.started_at >= filters.started_from)
    if filters.started_to is not None:
        query = query.where(CallRow.started_at < filters.started_to)
    return query


def _to_turn(row: AnyRow) -> TranscriptTurn:
    seq, speaker, text, at, interrupted = row
    return TranscriptTurn(seq, speaker, text, at, interrupted)


def _only_record(row: AnyRow) -> CallRecord:
    return _to_record(row[0])


def _to_record(row: CallRow) -> CallRecord:
    return CallRecord(
        id=row.id,
        direction=CallDirection(row.direction),
        kind=CallKind(row.kind),
        state=CallState(row.state),
        agent_id=row.agent_id,
        agent_version=row.agent_version,
        called_number=row.called_number,
        caller_number=row.caller_number,
        room_name=row.room_name,
        started_at=row.started_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        billed_s=row.billed_s,
        cost_microcredits=row.cost_microcredits,
        ended_by=None if row.ended_by is None else EndedBy(row.ended_by),
        end_reason=None if row.end_reason is None else EndReason(row.end_reason),
        refusal_reason=None if row.refusal_reason is None else RefusalReason(row.refusal_reason),
        sip_code=row.sip_code,
    )
