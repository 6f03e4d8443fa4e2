"""`/v1/phone-numbers/{number}/behaviour`: opening hours, callers, and who gets a call instead."""

from typing import Annotated

from fastapi import APIRouter, Path, Security

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import ServicesOf, path_number
from gateway.faces.native.schemas.number_behaviour import BehaviourAnswer, BehaviourPatch
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=NativeRoute,
    tags=["Phone numbers"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 404, 429),
)

NumberItself = Annotated[str, Path(description="The number itself, in E.164 form.")]


@router.get(
    "/v1/phone-numbers/{phone_number}/behaviour",
    dependencies=[requires(Scope.NUMBERS_READ)],
    summary="Get a number's behaviour",
)
async def get_behaviour(
    phone_number: NumberItself, principal: CurrentPrincipal, services: ServicesOf
) -> BehaviourAnswer:
    """Return when a number is open, who may call it, and what becomes of other calls."""
    found = await services.number_behaviours.get(principal, path_number(phone_number))
    return BehaviourAnswer.of(found)


@router.patch(
    "/v1/phone-numbers/{phone_number}/behaviour",
    dependencies=[requires(Scope.NUMBERS_WRITE)],
    summary="Change a number's behaviour",
    responses=native_errors(413),
)
async def change_behaviour(
    phone_number: NumberItself,
    body: BehaviourPatch,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> BehaviourAnswer:
    """Set some fields anew; the next call to the number already follows."""
    did = path_number(phone_number)
    return BehaviourAnswer.of(
        await services.number_behaviours.change(principal, did, body.changes())
    )
