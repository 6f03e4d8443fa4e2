"""What the audit log tells of numbers and carrier connections."""

from typing import Any

from dispatch.access.audit import record_change
from dispatch.accounts import Actor
from dispatch.numbers import CarrierConnection, PhoneNumber
from dispatch.store.engine import WriteSession


async def record_number(
    db: WriteSession,
    actor: Actor,
    action: str,
    before: PhoneNumber | None,
    after: PhoneNumber | None,
) -> None:
    """Write down that a number was created (no `before`), changed, or deleted (no `after`)."""
    await _record(db, actor, action, "number", before, after)


async def record_connection(
    db: WriteSession,
    actor: Actor,
    action: str,
    before: CarrierConnection | None,
    after: CarrierConnection | None,
) -> None:
    """Write down that a carrier connection was created, changed or deleted; never its password."""
    await _record(db, actor, action, "carrier_connection", before, after)


async def _record(
    db: WriteSession,
    actor: Actor,
    action: str,
    target_type: str,
    before: PhoneNumber | CarrierConnection | None,
    after: PhoneNumber | CarrierConnection | None,
) -> None:
    changed = after or before
    if changed is None:
        return
    await record_change(
        db,
        actor,
        action,
        target_type=target_type,
        target_id=changed.id,
        organization_id=changed.organization_id,
        project_id=changed.project_id,
        before=None if before is None else _shown(before),
        after=None if after is None else _shown(after),
    )


def _shown(changed: PhoneNumber | CarrierConnection) -> dict[str, Any]:
    if isinstance(changed, CarrierConnection):
        return _shown_connection(changed)
    return _shown_number(changed)


def _shown_number(number: PhoneNumber) -> dict[str, Any]:
    return {
        "number": number.number,
        "connection_id": number.connection_id,
        "inbound_agent_id": number.inbound_agent_id,
        "outbound_agent_id": number.outbound_agent_id,
    }


def _shown_connection(connection: CarrierConnection) -> dict[str, Any]:
    return {
        "name": connection.name,
        "provider": connection.provider,
        "allowed_addresses": connection.allowed_addresses,
        "auth_username": connection.auth_username,
    }
