"""The audit log in Postgres."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert

from dispatch.accounts import Actor
from dispatch.store.engine import WriteSession
from dispatch.store.tables import AuditEntryRow


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to write."""

    actor: Actor
    action: str
    target_type: str
    target_id: str
    organization_id: uuid.UUID | None
    project_id: uuid.UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def insert_entry(db: WriteSession, new: NewEntry) -> None:
    """Write an entry in the transaction of the change it tells of."""
    statement = insert(AuditEntryRow).values(
        id=uuid.uuid4(),
        actor_kind=new.actor.kind,
        actor_id=new.actor.id,
        actor_name=new.actor.name,
        actor_organization_id=new.actor.organization_id,
        action=new.action,
        target_type=new.target_type,
        target_id=new.target_id,
        organization_id=new.organization_id,
        project_id=new.project_id,
        before=new.before,
        after=new.after,
    )
    await db.execute(statement)
