"""`/api/v1/usage` and `/api/v1/quota`: what was used, what it cost, and what the plan allows."""

from typing import Annotated

from fastapi import APIRouter, Query, Security

from dispatch.accounts import Scope
from dispatch.billing.reports import GroupBy, Period
from gateway.auth import CurrentPrincipal, TenantRoute, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.voxai.errors import voxai_errors
from gateway.faces.voxai.schemas.usage import QuotasAnswer, UsageAnswer

router = APIRouter(
    route_class=TenantRoute,
    tags=["VoxAI: usage"],
    dependencies=[Security(key_header), requires(Scope.USAGE_READ)],
)


@router.get("/api/v1/usage", summary="Report usage and cost", responses=voxai_errors(400))
async def report_usage(
    principal: CurrentPrincipal,
    services: ServicesOf,
    period: Annotated[
        Period, Query(description="How far back, in whole days (UTC), today included.")
    ] = Period.MONTH,
    group_by: Annotated[GroupBy, Query(description="What to add up.")] = GroupBy.DAY,
) -> UsageAnswer:
    """Report what the project's calls and chats used and cost, from their bills on record."""
    return UsageAnswer.of(await services.usage.report(principal, period, group_by))


@router.get("/api/v1/quota", summary="Get the plan's quotas", responses=voxai_errors())
async def get_quota(principal: CurrentPrincipal, services: ServicesOf) -> QuotasAnswer:
    """Return the organisation's plan, and how much of each resource it has and may have."""
    return QuotasAnswer.of(await services.quotas.of(principal))
