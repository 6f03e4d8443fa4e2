"""What was used, and calls in sum."""

import calendar
import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Security

from dispatch.accounts import Scope
from dispatch.billing.plans import Resource
from dispatch.call_history import CallFilters
from dispatch.errors import InvalidField
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.agntix.schemas.reports import (
    CallStatsAnswer,
    CurrentUsageAnswer,
    UsedAnswer,
)
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: calls and usage"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(401, 403),
)


@router.get(
    "/v1/chat/subscriptions/usage/current",
    summary="Get this month's usage",
    dependencies=[requires(Scope.USAGE_READ)],
)
async def current_usage(principal: CurrentPrincipal, services: ServicesOf) -> CurrentUsageAnswer:
    """Return what the organisation used in this calendar month, and what its plan allows."""
    today = datetime.now(UTC).date()
    begins = today.replace(day=1)
    quotas = await services.quotas.of(principal)
    [minutes] = [each for each in quotas.quotas if each.resource is Resource.MINUTES_THIS_MONTH]
    messages = await services.usage.messages_since(principal, begins)
    return CurrentUsageAnswer(
        period_start=begins,
        period_end=today.replace(day=calendar.monthrange(today.year, today.month)[1]),
        messages=UsedAnswer(used=messages, limit=None),
        voice_minutes=UsedAnswer(used=minutes.used, limit=minutes.limit),
        api_calls=UsedAnswer(used=None, limit=None),
    )


@router.get(
    "/v1/chat/analytics/calls/stats",
    summary="Get sums of calls",
    dependencies=[requires(Scope.CALLS_READ)],
    responses=native_errors(400),
)
async def call_stats(
    principal: CurrentPrincipal,
    services: ServicesOf,
    start: Annotated[date, Query(alias="startDate", description="The first day (UTC).")],
    end: Annotated[date, Query(alias="endDate", description="The last day (UTC), included.")],
    agent_id: Annotated[
        uuid.UUID | None, Query(alias="agentId", description="Only calls of this agent.")
    ] = None,
) -> CallStatsAnswer:
    """Return how many of the project's calls began on these days, and how they went."""
    if end < start:
        raise InvalidField("endDate", "endDate must not lie before startDate.")
    stats = await services.call_records.stats(
        principal,
        CallFilters(
            agent_id=agent_id,
            started_from=datetime.combine(start, time.min, UTC),
            started_to=_day_after(end),
        ),
    )
    return CallStatsAnswer.of(stats)


def _day_after(day: date) -> datetime | None:
    """Return when a day is over; None for the last day of all."""
    if day == date.max:
        return None
    return datetime.combine(day + timedelta(days=1), time.min, UTC)
