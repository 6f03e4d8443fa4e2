"""Members of organisations in Postgres."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.accounts import Member, Role
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, fetch_page
from dispatch.store.tables import MemberRow


@dataclass(frozen=True, slots=True)
class NewMember:
    """A member to store."""

    id: uuid.UUID
    organization_id: uuid.UUID
    subject: str
    name: str
    role: Role


async def insert_member(db: WriteSession, new: NewMember) -> bool:
    """Store a member; False when the organisation has this subject, or this id exists."""
    statement = (
        insert(MemberRow)
        .values(
            id=new.id,
            organization_id=new.organization_id,
            subject=new.subject,
            name=new.name,
            role=new.role,
        )
        .on_conflict_do_nothing()
        .returning(MemberRow.id)
    )
    return (await db.scalar(statement)) is not None


async def find_member(
    db: ReadSession,
    organization_id: uuid.UUID,
    member_id: uuid.UUID,
    *,
    for_update: bool = False,
) -> Member | None:
    """Return a member of an organisation.

    Args:
        db: An open transaction; a writing one if the member is to be locked.
        organization_id: Whose member.
        member_id: Which member.
        for_update: Let nobody else change it before the end of the transaction.
    """
    query = (
        select(MemberRow)
        .where(MemberRow.id == member_id, MemberRow.organization_id == organization_id)
        .execution_options(populate_existing=True)
    )
    if for_update:
        query = query.with_for_update()
    row = (await db.execute(query)).scalar_one_or_none()
    return None if row is None else _to_member(row)


async def find_by_subjects(
    db: ReadSession, organization_id: uuid.UUID, subjects: Sequence[str]
) -> Member | None:
    """Return the member who is one of these subjects, the first one that is a member."""
    query = select(MemberRow).where(
        MemberRow.organization_id == organization_id, MemberRow.subject.in_(subjects)
    )
    found = {row.subject: row for row in await db.scalars(query)}
    row = next((found[subject] for subject in subjects if subject in found), None)
    return None if row is None else _to_member(row)


async def list_members(
    db: ReadSession, organization_id: uuid.UUID, page: PageRequest
) -> Page[Member]:
    """Return a page of an organisation's members, newest first."""
    query = (
        select(MemberRow)
        .where(MemberRow.organization_id == organization_id)
        .order_by(MemberRow.created_at.desc(), MemberRow.id)
    )
    return await fetch_page(db, query, page, _only_member)


async def change_role(db: WriteSession, member_id: uuid.UUID, role: Role) -> None:
    """Give a member another role."""
    await db.execute(
        update(MemberRow).where(MemberRow.id == member_id).values(role=role, updated_at=func.now())
    )


async def delete_member(db: WriteSession, member_id: uuid.UUID) -> None:
    """Remove a member."""
    await db.execute(delete(MemberRow).where(MemberRow.id == member_id))


def _only_member(row: AnyRow) -> Member:
    return _to_member(row[0])


def _to_member(row: MemberRow) -> Member:
    role: Role = next(role for role in get_args(Role) if role == row.role)
    return Member(
        id=row.id,
        organization_id=row.organization_id,
        subject=row.subject,
        name=row.name,
        role=role,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
