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
    number = after or before
    if number is None:
        return
    await record_change(
        db,
        actor,
        action,
        target_type="number",
        target_id=number.id,
        organization_id=number.organization_id,
        project_id=number.project_id,
        before=_shown(before),
        after=_shown(after),
    )


async def record_connection(
    db: WriteSession,
    actor: Actor,
    action: str,
    before: CarrierConnection | None,
    after: CarrierConnection | None,
) -> None:
    """Write down that a carrier connection was created, changed or deleted; never its password."""
    connection = after or before
    if connection is None:
        return
    await record_change(
        db,
        actor,
        action,
        target_type="carrier_connection",
        target_id=connection.id,
        organization_id=connection.organization_id,
        project_id=connection.project_id,
        before=_shown_connection(before),
        after=_shown_connection(after),
    )


def _shown(number: PhoneNumber | None) -> dict[str, Any] | None:
    if number is None:
        return None
    return {
        "number": number.number,
        "connection_id": number.connection_id,
        "inbound_agent_id": number.inbound_agent_id,
        "outbound_agent_id": number.outbound_agent_id,
    }


def _shown_connection(connection: CarrierConnection | None) -> dict[str, Any] | None:
    if connection is None:
        return None
    return {
        "name": connection.name,
        "provider": connection.provider,
        "allowed_addresses": connection.allowed_addresses,
        "auth_username": connection.auth_username,
    }
