"""`/v1/phone-numbers` and `/v1/byoc/…`: numbers of the customer's own carrier, spelt two ways."""

import uuid
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Security

from dispatch.accounts import Scope
from dispatch.byoc_numbers import SipAccount
from dispatch.paging import MAX_LIMIT, PageRequest
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import MAX_PAGE, NewId, ServicesOf, path_number
from gateway.faces.talkifai.errors import KEY_REUSED, KEY_UNUSABLE, TOO_LONG, talkifai_errors
from gateway.faces.talkifai.schemas.phone_numbers import (
    AccountBody,
    AgentsBody,
    ByocNumberBody,
    ByocNumberPatch,
    Done,
    NumberAnswer,
    NumberBody,
    NumberList,
    OneNumber,
    TrunkRefreshBody,
)

router = APIRouter(
    route_class=TenantRoute,
    tags=["TalkifAI: phone numbers"],
    dependencies=[Security(key_header), Security(key_bearer)],
)

_READING: Final = requires(Scope.NUMBERS_READ)
_WRITING: Final = requires(Scope.NUMBERS_WRITE)

_EVERYWHERE: Final = {
    401: ["Invalid API key"],
    403: ["This key lacks the scope numbers:write."],
    429: ["Rate limit exceeded"],
    503: ["A store is unavailable; nothing was changed. Try again shortly."],
}
_ONLY_VOICE: Final = "Only Pipeline and Realtime agents can be assigned to phone numbers"
_NOT_FOUND: Final = ["Phone number not found.", "Agent not found."]
_REGISTERING: Final = {
    400: ["terminationUri is required."],
    409: ["This number is on record already.", *KEY_REUSED],
    413: TOO_LONG,
    **_EVERYWHERE,
}
_CHANGING: Final = {400: [_ONLY_VOICE], 404: _NOT_FOUND, 413: TOO_LONG, **_EVERYWHERE}

# OpenAPI knows one path by one name, and the native explanation calls it so.
NumberId = Annotated[uuid.UUID, Path(description="The number's id.")]
NumberItself = Annotated[str, Path(description="The number itself, in E.164 form.")]


@router.get(
    "/v1/phone-numbers",
    summary="List numbers",
    dependencies=[_READING],
    responses=talkifai_errors(_EVERYWHERE),
)
async def list_numbers(
    principal: CurrentPrincipal,
    services: ServicesOf,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Ours: page, from 1.")] = 1,
    limit: Annotated[int, Query(description="Ours: brought within 1 to 100.")] = MAX_LIMIT,
) -> NumberList:
    """List the project's numbers, newest first, a hundred at a time."""
    asked = PageRequest(page=page, limit=max(limit, 1))
    found = await services.byoc_numbers.list(principal, asked)
    return NumberList(data=[NumberAnswer.of(each) for each in found.items])


@router.post(
    "/v1/phone-numbers",
    status_code=201,
    summary="Register a number",
    dependencies=[_WRITING],
    responses=talkifai_errors(_REGISTERING),
)
async def register_number(
    body: NumberBody, new_id: NewId, principal: CurrentPrincipal, services: ServicesOf
) -> OneNumber:
    """Register a number of your own carrier; LiveKit holds it within seconds."""
    return OneNumber.of(
        await services.byoc_numbers.register(
            principal, body.number, body.account() or SipAccount(), new_id=new_id
        )
    )


@router.put(
    "/v1/phone-numbers/{phone_number}",
    summary="Change a number's carrier account",
    dependencies=[_WRITING],
    responses=talkifai_errors(_CHANGING),
)
async def change_account(
    phone_number: NumberId, body: AccountBody, principal: CurrentPrincipal, services: ServicesOf
) -> OneNumber:
    """Change where and as whom the carrier is called; what is absent stays as it is."""
    return OneNumber.of(await services.byoc_numbers.change(principal, phone_number, body.account()))


@router.patch(
    "/v1/phone-numbers/{phone_number}",
    summary="Assign or unassign agents",
    dependencies=[_WRITING],
    responses=talkifai_errors(_CHANGING),
)
async def assign_agents(
    phone_number: NumberId, body: AgentsBody, principal: CurrentPrincipal, services: ServicesOf
) -> OneNumber:
    """Decide which agent answers; the next call to the number already goes there."""
    inbound, outbound = body.agents()
    return OneNumber.of(
        await services.byoc_numbers.change(
            principal, phone_number, inbound_agent_id=inbound, outbound_agent_id=outbound
        )
    )


@router.delete(
    "/v1/phone-numbers/{phone_number}",
    summary="Delete a number",
    dependencies=[_WRITING],
    responses=talkifai_errors({404: _NOT_FOUND, **_EVERYWHERE}),
)
async def delete_number(
    phone_number: NumberId, principal: CurrentPrincipal, services: ServicesOf
) -> Done:
    """Take a number off the installation; the carrier keeps it."""
    number = await services.phone_numbers.get(principal, phone_number)
    await services.phone_numbers.delete(principal, number.number)
    return Done()


@router.post(
    "/v1/byoc/phone-numbers",
    status_code=201,
    summary="Register a number, with its agents",
    dependencies=[_WRITING],
    responses=talkifai_errors(
        {
            **_REGISTERING,
            400: ["terminationUri is required.", _ONLY_VOICE],
            404: ["Agent not found."],
        }
    ),
)
async def register_byoc_number(
    body: ByocNumberBody, new_id: NewId, principal: CurrentPrincipal, services: ServicesOf
) -> OneNumber:
    """Register a number of your own carrier and say which agents answer it and call from it."""
    return OneNumber.of(
        await services.byoc_numbers.register(
            principal,
            body.phone_number,
            body.account() or SipAccount(),
            name=body.friendly_name,
            inbound_agent_id=body.inbound_agent_id,
            outbound_agent_id=body.outbound_agent_id,
            new_id=new_id,
        )
    )


@router.put(
    "/v1/byoc/phone-numbers/{phone_number}",
    summary="Change a number by itself",
    dependencies=[_WRITING],
    responses=talkifai_errors(_CHANGING),
)
async def change_byoc_number(
    phone_number: NumberItself,
    body: ByocNumberPatch,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> OneNumber:
    """Change a number's carrier account and agents; what is absent stays as it is."""
    number = await services.byoc_numbers.get_by_number(principal, path_number(phone_number))
    inbound, outbound = body.agents()
    return OneNumber.of(
        await services.byoc_numbers.change(
            principal,
            number.id,
            body.account(),
            inbound_agent_id=inbound,
            outbound_agent_id=outbound,
        )
    )


@router.delete(
    "/v1/byoc/phone-numbers/{phone_number}",
    summary="Delete a number by itself",
    dependencies=[_WRITING],
    responses=talkifai_errors({404: _NOT_FOUND, **_EVERYWHERE}),
)
async def delete_byoc_number(
    phone_number: NumberItself, principal: CurrentPrincipal, services: ServicesOf
) -> Done:
    """Take a number off the installation; the carrier keeps it."""
    await services.phone_numbers.delete(principal, path_number(phone_number))
    return Done()


@router.post(
    "/v1/byoc/trunks/refresh",
    summary="Compare a number's trunk with the record now",
    dependencies=[_WRITING],
    responses=talkifai_errors(
        {
            400: ["phoneNumber is required."],
            404: _NOT_FOUND,
            409: KEY_REUSED,
            413: TOO_LONG,
            **_EVERYWHERE,
        }
    ),
)
async def refresh_trunk(
    body: TrunkRefreshBody, principal: CurrentPrincipal, services: ServicesOf
) -> OneNumber:
    """Return the number; its trunk is compared with the record now, as it is every few seconds."""
    number = await services.byoc_numbers.get_by_number(principal, body.phone_number)
    await services.phone_numbers.refresh()
    return OneNumber.of(await services.byoc_numbers.change(principal, number.id))


@router.post(
    "/v1/byoc/trunks/refresh-all",
    summary="Compare every trunk with the record now",
    dependencies=[_WRITING],
    responses=talkifai_errors({400: KEY_UNUSABLE, 409: KEY_REUSED, 413: TOO_LONG, **_EVERYWHERE}),
)
async def refresh_trunks(services: ServicesOf) -> Done:
    """Have all trunks compared with the record now; calls go on meanwhile."""
    await services.phone_numbers.refresh()
    return Done()
