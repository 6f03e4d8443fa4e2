"""`/v1/usage` and `/v1/quota`: what was used, what it cost, and what the plan allows."""

from typing import Annotated

from fastapi import APIRouter, Query, Security

from dispatch.accounts import Scope
from dispatch.billing.reports import GroupBy, Period
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.native.schemas.usage import PlanQuotasAnswer, UsageReportAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=NativeRoute,
    tags=["Usage"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)


@router.get("/v1/usage", summary="Report usage and cost", dependencies=[requires(Scope.USAGE_READ)])
async def report_usage(
    principal: CurrentPrincipal,
    services: ServicesOf,
    period: Annotated[
        Period, Query(description="How far back, in whole days (UTC), today included.")
    ] = Period.MONTH,
    group_by: Annotated[GroupBy, Query(alias="groupBy", description="What to add up.")] = (
        GroupBy.DAY
    ),
) -> UsageReportAnswer:
    """Report what the project's calls and chats used and cost, from their bills on record."""
    return UsageReportAnswer.of(await services.usage.report(principal, period, group_by))


@router.get("/v1/quota", summary="Get the plan's quotas", dependencies=[requires(Scope.USAGE_READ)])
async def get_quota(principal: CurrentPrincipal, services: ServicesOf) -> PlanQuotasAnswer:
    """Return the organisation's plan, and how much of each resource it has and may have."""
    return PlanQuotasAnswer.of(await services.quotas.of(principal))
