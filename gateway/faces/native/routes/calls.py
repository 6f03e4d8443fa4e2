"""`/v1/calls` and `/v1/credits`: what happened and what it cost."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Security

from dispatch.accounts import Scope
from dispatch.call_history import CallFilters
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import NumberFilter, RequestedPage, ServicesOf
from gateway.faces.native.schemas.calls import CallAnswer, CallRecordAnswer
from gateway.schemas.base import Instant, PageAnswer
from gateway.schemas.errors import native_errors
from gateway.schemas.money import BalanceAnswer
from telephony.calls import CallState

router = APIRouter(
    route_class=NativeRoute,
    tags=["Calls"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)


async def _call_filters(
    state: Annotated[CallState | None, Query(description="Where the call stands.")] = None,
    number: Annotated[NumberFilter | None, Query(description="Either party's number.")] = None,
    agent_id: Annotated[uuid.UUID | None, Query(alias="agentId")] = None,
    started_from: Annotated[
        Instant | None, Query(alias="from", description="Started at this time or later.")
    ] = None,
    started_to: Annotated[
        Instant | None, Query(alias="to", description="Started before this time.")
    ] = None,
) -> CallFilters:
    return CallFilters(
        state=state,
        number=number,
        agent_id=agent_id,
        started_from=started_from,
        started_to=started_to,
    )


@router.get(
    "/v1/calls",
    dependencies=[requires(Scope.CALLS_READ)],
    summary="List calls",
    responses=native_errors(400),
)
async def list_calls(
    filters: Annotated[CallFilters, Depends(_call_filters)],
    page: RequestedPage,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> PageAnswer[CallAnswer]:
    """List the project's calls, newest first."""
    found = await services.call_records.list(principal, page, filters)
    return PageAnswer[CallAnswer].of(found, CallAnswer.of)


@router.get(
    "/v1/calls/{call_id}",
    dependencies=[requires(Scope.CALLS_READ)],
    summary="Get a call",
    responses=native_errors(404),
)
async def get_call(
    call_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> CallRecordAnswer:
    """Return a call with its transcript, its events and the ledger lines it caused."""
    return CallRecordAnswer.of_details(await services.call_records.get(principal, call_id))


@router.get("/v1/credits", dependencies=[requires(Scope.USAGE_READ)], summary="Get the balance")
async def get_balance(principal: CurrentPrincipal, services: ServicesOf) -> BalanceAnswer:
    """Return what the organisation may still use; what running calls reserved is not in it."""
    balance = await services.credits.balance(principal.organization_id)
    return BalanceAnswer(balance_microcredits=balance)
