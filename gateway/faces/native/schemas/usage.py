"""Bodies of usage, its cost, and quotas."""

from datetime import date
from typing import Self

from pydantic import Field

from dispatch.billing.record import UsagePart
from dispatch.billing.reports import UsageReport
from dispatch.usage.quotas import PlanQuotas
from gateway.schemas.base import Answer


class UsagePartAnswer(Answer):
    """One part of a bill; the parts add up to the charge."""

    service: str = Field(
        description=(
            "telephony, web, stt, llm, tts, realtime, embedding or chat; `uncollected` is what "
            "went beyond the credit there was, `unmetered` a call whose usage was lost."
        ),
        examples=["llm"],
    )
    provider: str = Field(description="Empty for time on the line.", examples=["openai"])
    model: str = Field(examples=["gpt-4o-mini"])
    unit: str = Field(examples=["input_tokens"])
    keys: str = Field(
        description="Whose account at the vendor was used: `platform` or `own`.",
        examples=["platform"],
    )
    quantity: int = Field(examples=[1_234])
    price_microcredits: int = Field(
        description="For `pricePer` units; 1 credit is 1,000,000.", examples=[150_000]
    )
    price_per: int = Field(examples=[1_000_000])
    price_version: str = Field(description="Version of the price table.", examples=["2026-11"])
    cost_microcredits: int = Field(
        description="Rounded so that the parts add up to the charge.", examples=[185]
    )

    @classmethod
    def of(cls, part: UsagePart) -> Self:
        """Return the answer for a part."""
        return cls.model_validate(part)


class UsageQuantityAnswer(Answer):
    """How much of one thing."""

    service: str = Field(examples=["telephony"])
    unit: str = Field(examples=["seconds"])
    quantity: int = Field(examples=[5_400])


class UsageGroupAnswer(Answer):
    """Sums of one group."""

    key: str = Field(
        description="A date, `provider/model`, an agent's id (empty: none) or a service.",
        examples=["2026-01-31"],
    )
    name: str | None = Field(description="An agent's name; null for other groups.")
    cost_microcredits: int = Field(examples=[9_000_000])
    calls: int = Field(examples=[45])
    quantities: list[UsageQuantityAnswer]


class UsageReportAnswer(Answer):
    """What the project used; the groups add up to the total. Calls still on are not in it."""

    period: str = Field(examples=["30d"])
    group_by: str = Field(examples=["day"])
    since: date | None = Field(description="First day (UTC); null for all time.")
    until: date = Field(description="Today (UTC).")
    cost_microcredits: int = Field(description="1 credit is 1,000,000.", examples=[9_000_000])
    calls: int = Field(examples=[45])
    groups: list[UsageGroupAnswer] = Field(
        description="Days in order; other groups with the dearest first."
    )

    @classmethod
    def of(cls, report: UsageReport) -> Self:
        """Return the answer for a report."""
        return cls.model_validate(report)


class QuotaAnswer(Answer):
    """A resource of the organisation."""

    resource: str = Field(examples=["agents"])
    used: int = Field(examples=[3])
    limit: int | None = Field(
        description="Null: no limit but the installation's own.", examples=[25]
    )


class PlanQuotasAnswer(Answer):
    """The organisation's plan, and what it has of what the plan allows."""

    plan: str = Field(examples=["starter"])
    quotas: list[QuotaAnswer]

    @classmethod
    def of(cls, quotas: PlanQuotas) -> Self:
        """Return the answer for an organisation's quotas."""
        return cls.model_validate(quotas)
