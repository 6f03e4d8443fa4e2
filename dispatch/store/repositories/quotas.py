"""How much of everything an organisation has, in Postgres."""

import uuid
from collections.abc import Mapping

from sqlalchemy import ScalarSelect, func, select

from dispatch.billing.plans import PLAN_LIMITS, Resource
from dispatch.errors import QuotaExceeded
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.tables import AgentRow, OrganizationRow, PhoneNumberRow, ProjectRow
from dispatch.store.tables.knowledge import KnowledgeBaseRow, KnowledgeDocumentRow


async def plan_of(db: ReadSession, organization_id: uuid.UUID) -> str:
    """Return the name of an organisation's plan."""
    query = select(OrganizationRow.plan).where(OrganizationRow.id == organization_id)
    return (await db.execute(query)).scalar_one()


async def count_resources(db: ReadSession, organization_id: uuid.UUID) -> Mapping[Resource, int]:
    """Count what an organisation has, in one query; what was deleted does not count."""
    counts = _counts(organization_id)
    row = (await db.execute(select(*counts.values()))).one()
    return dict(zip(counts, row, strict=True))


async def require_room_for(
    db: WriteSession, organization_id: uuid.UUID, resource: Resource
) -> None:
    """Check that an organisation has no more of a resource than its plan allows.

    To be called in the transaction that adds some, after it did: raising takes it back. Two
    transactions at the same moment may both pass; being one over a commercial limit does no harm.
    What protects the installation (slots, credit) is atomic elsewhere.

    Raises:
        QuotaExceeded: It has more.
    """
    plan = await plan_of(db, organization_id)
    limit = PLAN_LIMITS[plan].get(resource)
    if limit is None:
        return
    if (await db.execute(select(_counts(organization_id)[resource]))).scalar_one() > limit:
        raise QuotaExceeded(resource, limit, plan)


def _counts(organization_id: uuid.UUID) -> dict[Resource, ScalarSelect[int]]:
    count = func.count()
    live_base = (
        KnowledgeBaseRow.organization_id == organization_id,
        KnowledgeBaseRow.deleted_at.is_(None),
    )
    queries = {
        Resource.PROJECTS: select(count).where(ProjectRow.organization_id == organization_id),
        Resource.AGENTS: select(count).where(
            AgentRow.organization_id == organization_id, AgentRow.deleted_at.is_(None)
        ),
        Resource.PHONE_NUMBERS: select(count).where(
            PhoneNumberRow.organization_id == organization_id,
            PhoneNumberRow.deleted_at.is_(None),
        ),
        Resource.KNOWLEDGE_BASES: select(count).where(*live_base),
        Resource.KNOWLEDGE_BYTES: select(
            func.coalesce(func.sum(KnowledgeDocumentRow.size_bytes), 0)
        )
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == KnowledgeDocumentRow.knowledge_base_id)
        .where(*live_base, KnowledgeDocumentRow.deleted_at.is_(None)),
    }
    return {resource: query.scalar_subquery() for resource, query in queries.items()}
