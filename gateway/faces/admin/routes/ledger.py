"""`/admin/v1`: credits and the ledger."""

import uuid

from dispatch.credits import TopUp
from gateway.auth import CurrentAdministrator, installation_only
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.faces.admin.routes.routers import admin_router
from gateway.faces.admin.schemas.credits import (
    AdjustmentBody,
    CreditsBody,
    LedgerEntryAnswer,
    TopUpAnswer,
)
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = admin_router()


@router.post(
    "/admin/v1/organizations/{organization_id}/credits",
    status_code=201,
    summary="Add credits",
    responses=native_errors(400, 403, 404, 409, 413),
    dependencies=[installation_only],
)
async def add_credits(
    organization_id: uuid.UUID,
    body: CreditsBody,
    admin: CurrentAdministrator,
    services: ServicesOf,
    new_id: NewId,
) -> TopUpAnswer:
    """Add credits to an organisation; repeated with the same `operationId` it happens once.

    For the installation's administrator.
    """
    top_up = await services.credits.top_up(
        admin.actor,
        organization_id,
        amount_microcredits=body.amount_microcredits,
        reason=body.reason,
        operation_id=body.operation_id or new_id.hex,
    )
    return _answer(top_up)


@router.post(
    "/admin/v1/organizations/{organization_id}/credits/adjustments",
    status_code=201,
    summary="Correct a balance",
    responses=native_errors(400, 403, 404, 409, 413),
    dependencies=[installation_only],
)
async def adjust_credits(
    organization_id: uuid.UUID,
    body: AdjustmentBody,
    admin: CurrentAdministrator,
    services: ServicesOf,
    new_id: NewId,
) -> TopUpAnswer:
    """Correct a balance up or down, with a reason that the ledger keeps.

    For the installation's administrator. A balance below zero answers no call.
    """
    adjusted = await services.credits.adjust(
        admin.actor,
        organization_id,
        amount_microcredits=body.amount_microcredits,
        reason=body.reason,
        operation_id=body.operation_id or new_id.hex,
    )
    return _answer(adjusted)


@router.get(
    "/admin/v1/organizations/{organization_id}/ledger",
    summary="List an organisation's ledger",
    responses=native_errors(400, 404),
)
async def list_ledger(
    organization_id: uuid.UUID, page: RequestedPage, services: ServicesOf
) -> PageAnswer[LedgerEntryAnswer]:
    """List every movement of an organisation's money, newest first."""
    return PageAnswer[LedgerEntryAnswer].of(await services.credits.ledger(organization_id, page))


def _answer(made: TopUp) -> TopUpAnswer:
    return TopUpAnswer.model_validate(
        {
            "id": made.entry.id,
            "kind": made.entry.kind,
            "amount_microcredits": made.entry.amount_microcredits,
            "balance_microcredits": made.balance_microcredits,
            "reason": made.entry.reason,
            "operation_id": made.entry.operation_id,
            "created_at": made.entry.created_at,
        }
    )
