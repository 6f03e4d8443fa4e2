"""`/v1/phone-numbers/{number}/explain`: why a call is answered, or is not."""

from typing import Annotated

from fastapi import APIRouter, Path, Security

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import ServicesOf, path_number
from gateway.faces.native.schemas.explain import ExplainAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=NativeRoute,
    tags=["Phone numbers"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)


@router.get(
    "/v1/phone-numbers/{phone_number}/explain",
    dependencies=[requires(Scope.NUMBERS_READ)],
    summary="Explain a number",
    responses=native_errors(404),
)
async def explain_number(
    phone_number: Annotated[str, Path(description="The number itself, in E.164 form.")],
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> ExplainAnswer:
    """Tell what would happen if somebody rang the number now, step by step."""
    explanation = await services.explain.explain(principal, path_number(phone_number))
    return ExplainAnswer.model_validate(explanation)
