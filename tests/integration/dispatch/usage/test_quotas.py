"""What organisations have, and what their plans refuse."""

import io
import uuid

import pytest
from sqlalchemy import update

from dispatch.agent_profile import AgentDraft
from dispatch.billing.plans import PLAN_LIMITS, Resource
from dispatch.calls import Admitted, RefusalReason, Refused
from dispatch.errors import QuotaExceeded
from dispatch.knowledge.bases import KnowledgeBases
from dispatch.knowledge.documents import Documents
from dispatch.paging import PageRequest
from dispatch.store.engine import Database
from dispatch.store.lease_counts import count_organization_leases
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.tables import OrganizationRow
from dispatch.usage.quotas import Quotas
from tests.builders.live_calls import Tenant, live_calls, settings

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("one_day")]


async def set_plan(database: Database, organization_id: uuid.UUID, plan: str) -> None:
    async with database.transaction() as db:
        await db.execute(
            update(OrganizationRow).where(OrganizationRow.id == organization_id).values(plan=plan)
        )


async def used(quotas: Quotas, principal) -> dict[str, tuple[int, int | None]]:
    found = await quotas.of(principal)
    return {quota.resource.value: (quota.used, quota.limit) for quota in found.quotas}


@pytest.fixture
def quotas(database, redis) -> Quotas:
    return Quotas(database, redis, settings(max_calls_per_organization=7))


async def test_counts_what_an_organisation_has_and_nothing_of_others(
    quotas, use_cases, owner, stranger
):
    for name in ("one", "two"):
        await use_cases.agents.create(owner.actor, owner, AgentDraft(name=name))
    await use_cases.agents.create(stranger.actor, stranger, AgentDraft(name="other"))
    deleted = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="gone"))
    await use_cases.agents.delete(owner.actor, owner, deleted.agent_id)
    assert (await quotas.of(owner)).plan == "enterprise"
    assert await used(quotas, owner) == {
        "projects": (1, None),
        "agents": (2, None),
        "phone_numbers": (0, None),
        "knowledge_bases": (0, None),
        "knowledge_bytes": (0, None),
        "concurrent_calls": (0, 7),
        "minutes_this_month": (0, None),
    }


async def test_a_plan_allows_so_much_and_no_more(quotas, use_cases, owner, database):
    await set_plan(database, owner.organization_id, "free")
    limit = PLAN_LIMITS["free"][Resource.AGENTS]
    for number in range(limit):
        await use_cases.agents.create(owner.actor, owner, AgentDraft(name=f"agent {number}"))
    with pytest.raises(QuotaExceeded, match="The plan free allows 3 agents"):
        await use_cases.agents.create(owner.actor, owner, AgentDraft(name="one too many"))
    assert (await used(quotas, owner))["agents"] == (limit, limit)
    page = await use_cases.agents.list(owner, PageRequest())
    assert page.total == limit


async def test_plans_hold_for_projects_and_knowledge_bases_as_well(use_cases, owner, database):
    await set_plan(database, owner.organization_id, "free")
    with pytest.raises(QuotaExceeded, match="1 projects"):
        await use_cases.tenants.create_project(
            owner.actor, owner.organization_id, "second", new_id=uuid.uuid4()
        )
    bases = KnowledgeBases(database)
    await bases.create(owner.actor, owner.project_id, name="first", new_id=uuid.uuid4())
    with pytest.raises(QuotaExceeded, match="1 knowledge bases"):
        await bases.create(owner.actor, owner.project_id, name="second", new_id=uuid.uuid4())


async def test_plans_hold_for_numbers_and_for_what_documents_weigh(
    use_cases, owner, database, redis, monkeypatch
):
    free = {**PLAN_LIMITS["free"], Resource.KNOWLEDGE_BYTES: 10}
    monkeypatch.setattr(
        "dispatch.store.repositories.quotas.PLAN_LIMITS", {**PLAN_LIMITS, "free": free}
    )
    await set_plan(database, owner.organization_id, "free")
    await use_cases.numbers.create(owner, provider="custom", number="+12015550100")
    with pytest.raises(QuotaExceeded, match="1 phone numbers"):
        await use_cases.numbers.create(owner, provider="custom", number="+12015550101")
    base = await KnowledgeBases(database).create(
        owner.actor, owner.project_id, name="Handbook", new_id=uuid.uuid4()
    )
    documents = Documents(database, LoopSignals(redis))

    async def upload(data: bytes) -> None:
        await documents.upload(
            owner.actor,
            owner.project_id,
            base.id,
            name="a.txt",
            file=io.BytesIO(data),
            new_id=uuid.uuid4(),
        )

    await upload(b"ten bytes.")
    with pytest.raises(QuotaExceeded, match="10 knowledge bytes"):
        await upload(b"x")


def test_no_plan_promises_what_nobody_holds():
    """Minutes are limited by credit, calls at once by the installation for all plans alike."""
    held = {
        Resource.PROJECTS,
        Resource.AGENTS,
        Resource.PHONE_NUMBERS,
        Resource.KNOWLEDGE_BASES,
        Resource.KNOWLEDGE_BYTES,
    }
    assert {resource for limits in PLAN_LIMITS.values() for resource in limits} == held


async def test_the_calls_at_once_that_are_told_are_those_that_are_admitted(database, redis):
    limit = 2
    tenant = Tenant()
    await tenant.publish(redis, balance=10_000_000)
    calls = live_calls(redis, max_calls_per_organization=limit)
    for _ in range(limit):
        assert isinstance(await calls.admit(tenant.arrival()), Admitted)
    refused = await calls.admit(tenant.arrival())
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.CAPACITY_ORGANIZATION
    assert await count_organization_leases(redis, tenant.organization_id) == limit


async def test_a_larger_plan_lets_go_on(use_cases, owner, database):
    await set_plan(database, owner.organization_id, "free")
    for plan in ("free", "starter"):
        await set_plan(database, owner.organization_id, plan)
        for _ in range(3):
            await use_cases.agents.create(owner.actor, owner, AgentDraft(name="agent"))
