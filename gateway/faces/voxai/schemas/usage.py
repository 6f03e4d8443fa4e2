"""Bodies of usage and quotas."""

from datetime import date
from typing import Self

from pydantic import Field

from dispatch.billing.reports import UsageReport
from dispatch.usage.quotas import PlanQuotas
from gateway.faces.voxai.schemas.base import Answer


class QuantityAnswer(Answer):
    """How much of one thing."""

    service: str = Field(examples=["llm"])
    unit: str = Field(examples=["input_tokens"])
    quantity: int = Field(examples=[5400])


class GroupAnswer(Answer):
    """Sums of one group."""

    key: str = Field(
        description="A date, `provider/model`, an agent's id or a service.", examples=["2026-01-31"]
    )
    name: str | None = Field(description="An agent's name; null for other groups.")
    cost_microcredits: int = Field(description="1 credit is 1,000,000.", examples=[9000000])
    calls: int = Field(examples=[45])
    quantities: list[QuantityAnswer]


class UsageAnswer(Answer):
    """What the project used; the groups add up to the total. Calls still on are not in it."""

    period: str = Field(examples=["30d"])
    group_by: str = Field(examples=["day"])
    since: date | None = Field(description="First day (UTC); null for all time.")
    until: date
    cost_microcredits: int = Field(examples=[9000000])
    calls: int = Field(examples=[45])
    usage: list[GroupAnswer]

    @classmethod
    def of(cls, report: UsageReport) -> Self:
        """Return the answer for a report."""
        return cls(
            period=report.period,
            group_by=report.group_by,
            since=report.since,
            until=report.until,
            cost_microcredits=report.cost_microcredits,
            calls=report.calls,
            usage=[GroupAnswer.model_validate(group) for group in report.groups],
        )


class QuotaAnswer(Answer):
    """A resource."""

    used: int = Field(examples=[3])
    limit: int | None = Field(description="Null: no limit of the plan.", examples=[25])
    remaining: int | None = Field(examples=[22])


class QuotasAnswer(Answer):
    """The organisation's plan, and what is left of it."""

    plan: str = Field(examples=["professional"])
    plan_display: str = Field(examples=["Professional"])
    quotas: dict[str, QuotaAnswer] = Field(description="By resource: `projects`, `agents`, …")

    @classmethod
    def of(cls, plan: PlanQuotas) -> Self:
        """Return the answer for a plan."""
        return cls(
            plan=plan.plan,
            plan_display=plan.plan.replace("_", " ").title(),
            quotas={
                each.resource.value: QuotaAnswer(
                    used=each.used,
                    limit=each.limit,
                    remaining=None if each.limit is None else max(0, each.limit - each.used),
                )
                for each in plan.quotas
            },
        )
