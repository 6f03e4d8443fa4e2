"""`/v1/chat/phone-numbers`: which numbers are answered, and by whom."""

import uuid
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Security

from dispatch.accounts import Principal, Scope
from dispatch.errors import AgentNotVoiceReady, InvalidField
from dispatch.numbers import UNCHANGED, CarrierConnection
from dispatch.paging import MAX_LIMIT, Order, PageRequest
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, NumberFilter, ServicesOf, path_number
from gateway.faces.agntix.paging import RequestedPage, sorted_by
from gateway.faces.agntix.schemas.phone_numbers import (
    MapAgentBody,
    MappingAnswer,
    MappingsBody,
    NumberItem,
    NumberItemsAnswer,
    PhoneNumberAnswer,
    PhoneNumberBody,
    PhoneNumberPatch,
)
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors
from gateway.schemas.numbers import E164_PATTERN
from gateway.services import Services
from telephony.e164 import E164

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: phone numbers"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(401, 403, 429),
)

_ITEMS: Final = 50
_SORTED_BY: Final = {"createdAt": "created_at", "number": "number"}

# OpenAPI knows one path by one name, whatever its parameter means to each method.
NumberId = Annotated[uuid.UUID, Path(description="The number's id.")]
NumberItself = Annotated[str, Path(description="The number itself, in E.164 form.")]


@router.post(
    "/v1/chat/phone-numbers",
    dependencies=[requires(Scope.NUMBERS_WRITE)],
    status_code=201,
    summary="Create a number",
    responses=native_errors(400, 404, 409, 413),
)
async def create_number(
    body: PhoneNumberBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> PhoneNumberAnswer:
    """Put a number on the installation; LiveKit holds it within seconds (`status`)."""
    created = await services.phone_numbers.create(
        principal,
        provider=body.provider,
        number=E164(body.number),
        agent_id=body.agent_id,
        connection_id=body.connection_id,
        new_id=new_id,
    )
    return PhoneNumberAnswer.of(created)


@router.get(
    "/v1/chat/phone-numbers",
    dependencies=[requires(Scope.NUMBERS_READ)],
    summary="List numbers",
    responses=native_errors(400),
)
async def list_numbers(
    page: RequestedPage,
    principal: CurrentPrincipal,
    services: ServicesOf,
    order: Annotated[Order | None, sorted_by(_SORTED_BY)],
    number: Annotated[
        NumberFilter | None,
        Query(description="Only this number, in E.164 form.", json_schema_extra=E164_PATTERN),
    ] = None,
) -> PageAnswer[PhoneNumberAnswer]:
    """List the project's numbers, newest first."""
    wanted = None if number is None else [number]
    found = await services.phone_numbers.list(principal, page, numbers=wanted, order=order)
    return PageAnswer[PhoneNumberAnswer].of(found, PhoneNumberAnswer.of)


@router.get(
    "/v1/chat/phone-numbers/{phone_number}",
    dependencies=[requires(Scope.NUMBERS_READ)],
    summary="Get a number",
    responses=native_errors(404),
)
async def get_number(
    phone_number: NumberId, principal: CurrentPrincipal, services: ServicesOf
) -> PhoneNumberAnswer:
    """Return one number."""
    return PhoneNumberAnswer.of(await services.phone_numbers.get(principal, phone_number))


@router.patch(
    "/v1/chat/phone-numbers/{phone_number}",
    dependencies=[requires(Scope.NUMBERS_WRITE)],
    summary="Assign or unassign agents",
    responses=native_errors(400, 404, 413),
)
async def assign_agents(
    phone_number: NumberId,
    body: PhoneNumberPatch,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> PhoneNumberAnswer:
    """Decide which agent answers; the next call to the number already goes there."""
    sent = body.model_fields_set
    try:
        assigned = await services.phone_numbers.assign(
            principal,
            phone_number,
            inbound_agent_id=body.in_bound_agent_id if "in_bound_agent_id" in sent else UNCHANGED,
            outbound_agent_id=(
                body.out_bound_agent_id if "out_bound_agent_id" in sent else UNCHANGED
            ),
        )
    except AgentNotVoiceReady as exc:
        # The error does not tell which agent it means; usually only one was sent.
        field = "in_bound_agent_id" if body.in_bound_agent_id else "out_bound_agent_id"
        raise InvalidField(field, str(exc)) from exc
    return PhoneNumberAnswer.of(assigned)


@router.delete(
    "/v1/chat/phone-numbers/{phone_number}",
    dependencies=[requires(Scope.NUMBERS_WRITE)],
    summary="Delete a number",
    responses=native_errors(404),
)
async def delete_number(
    phone_number: NumberItself, principal: CurrentPrincipal, services: ServicesOf
) -> PhoneNumberAnswer:
    """Take a number (by the number itself) off the installation; the carrier keeps it."""
    did = path_number(phone_number)
    return PhoneNumberAnswer.of(await services.phone_numbers.delete(principal, did))


@router.post(
    "/v1/chat/phone-numbers/map-agent",
    dependencies=[requires(Scope.NUMBERS_WRITE)],
    summary="Assign an agent by number",
    responses=native_errors(400, 404, 409, 413),
)
async def map_agent(
    body: MapAgentBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> PhoneNumberAnswer:
    """Let an agent answer a number, or call from it.

    A number that the project does not have yet comes in on its only carrier connection.
    """
    wanted = E164(body.phone_number)
    answers = body.type == "inbound"
    # Asked before a connection is: that the agent is not there is the nearer reason.
    await services.agents.get(principal, body.agent_id)
    found = await services.phone_numbers.list(principal, PageRequest(limit=1), numbers=[wanted])
    try:
        if found.items:
            mapped = await services.phone_numbers.assign(
                principal,
                found.items[0].id,
                inbound_agent_id=body.agent_id if answers else UNCHANGED,
                outbound_agent_id=UNCHANGED if answers else body.agent_id,
            )
        else:
            connection = await _only_connection(principal, services)
            mapped = await services.phone_numbers.create(
                principal,
                provider=connection.provider,
                number=wanted,
                agent_id=body.agent_id if answers else None,
                outbound_agent_id=None if answers else body.agent_id,
                connection_id=connection.id,
                new_id=new_id,
            )
    except AgentNotVoiceReady as exc:
        raise InvalidField("agent_id", str(exc)) from exc
    return PhoneNumberAnswer.of(mapped)


@router.post(
    "/v1/chat/phone-numbers/agents/mappings",
    dependencies=[requires(Scope.NUMBERS_READ)],
    summary="List agents of numbers",
    responses=native_errors(400, 409, 413),
)
async def list_mappings(
    body: MappingsBody, page: RequestedPage, principal: CurrentPrincipal, services: ServicesOf
) -> PageAnswer[MappingAnswer]:
    """Return who answers these numbers and calls from them; numbers of others are left out."""
    found = await services.phone_numbers.list(principal, page, numbers=body.phone_numbers)
    return PageAnswer[MappingAnswer].of(found, MappingAnswer.of)


@router.get(
    "/api/v1/phone-numbers",
    dependencies=[requires(Scope.NUMBERS_READ)],
    summary="List numbers to call from",
    responses=native_errors(400),
)
async def list_number_items(
    principal: CurrentPrincipal,
    services: ServicesOf,
    size: Annotated[
        int, Query(description=f"Entries at most; brought within 1 to {MAX_LIMIT}.")
    ] = _ITEMS,
) -> NumberItemsAnswer:
    """List the project's numbers, newest first, as those write them who call from them."""
    page = PageRequest(limit=min(max(size, 1), MAX_LIMIT))
    found = await services.phone_numbers.list(principal, page)
    return NumberItemsAnswer(
        items=[
            NumberItem(
                id=each.id,
                phone_number=each.number,
                provider=each.provider,
                label=each.number,
            )
            for each in found.items
        ]
    )


async def _only_connection(principal: Principal, services: Services) -> CarrierConnection:
    found = await services.carrier_connections.list(principal, PageRequest(limit=1))
    if found.total == 1:
        return found.items[0]
    why = "no carrier connection" if found.total == 0 else "several carrier connections"
    raise InvalidField(
        "phone_number",
        f"The project does not have this number yet, and {why} for it: create it with"
        " POST /v1/chat/phone-numbers.",
    )
