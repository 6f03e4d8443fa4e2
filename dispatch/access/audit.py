"""The audit log: who changed what, when, from what to what.

A change and its entry are one transaction: neither exists without the other.
"""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_jsonable_python

from dispatch.accounts import ADMINISTRATOR, SYSTEM, Actor
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import audit
from dispatch.store.repositories.audit import AuditEntry, AuditFilter

__all__ = [
    "ADMINISTRATOR",
    "SYSTEM",
    "Actor",
    "AuditEntry",
    "AuditFilter",
    "AuditLog",
    "record_change",
]

_ABSENT: Final = object()


class AuditLog:
    """The audit log, for reading; nothing in it is ever changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, wanted: AuditFilter, page: PageRequest) -> Page[AuditEntry]:
        """Return a page of entries, the last written first."""
        async with self._database.reading() as db:
            return await audit.list_entries(db, wanted, page)


async def record_change(  # noqa: PLR0913 - an entry has so many fields
    db: WriteSession,
    actor: Actor,
    action: str,
    *,
    target_type: str,
    target_id: object,
    organization_id: uuid.UUID | None,
    project_id: uuid.UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write down a change, inside the transaction that makes it.

    Of a change from `before` to `after` only the fields that differ are kept; when none does,
    nothing happened and nothing is written. Without `before` something was created, without
    `after` deleted; without both something was done that has no fields, such as reading a secret.

    Args:
        db: The transaction of the change.
        actor: Who makes it: `principal.actor`, or `ADMINISTRATOR`.
        action: What was done, as `agent.updated`.
        target_type: Kind of the thing, as `agent`.
        target_id: The thing's id; its text is kept.
        organization_id: Whose thing it is; None for the installation's own.
        project_id: In which project, when it is in one.
        before: Fields as they were. Never a secret, here or in `after`.
        after: Fields as they are now.
    """
    old = None if before is None else to_jsonable_python(dict(before))
    new = None if after is None else to_jsonable_python(dict(after))
    if old is not None and new is not None:
        changed = {
            name for name in {*old, *new} if old.get(name, _ABSENT) != new.get(name, _ABSENT)
        }
        if not changed:
            return
        old = {name: value for name, value in old.items() if name in changed}
        new = {name: value for name, value in new.items() if name in changed}
    await audit.insert_entry(
        db,
        audit.NewEntry(
            actor=actor,
            action=action,
            target_type=target_type,
            target_id=str(target_id),
            organization_id=organization_id,
            project_id=project_id,
            before=old,
            after=new,
        ),
    )
