"""How much of everything an organisation has, in Postgres."""

import uuid
from dataclasses import dataclass

from sqlalchemy import ScalarSelect, func, select

from dispatch.store.engine import ReadSession
from dispatch.store.tables import AgentRow, OrganizationRow, PhoneNumberRow, ProjectRow
from dispatch.store.tables.knowledge import KnowledgeBaseRow, KnowledgeDocumentRow


@dataclass(frozen=True, slots=True)
class ResourceCounts:
    """An organisation's plan and resources; what was deleted does not count."""

    plan: str
    projects: int
    agents: int
    phone_numbers: int
    knowledge_bases: int
    knowledge_bytes: int


async def count_resources(db: ReadSession, organization_id: uuid.UUID) -> ResourceCounts:
    """Count what an organisation has, in one query."""
    agents = select(func.count()).where(
        AgentRow.organization_id == organization_id, AgentRow.deleted_at.is_(None)
    )
    numbers = select(func.count()).where(
        PhoneNumberRow.organization_id == organization_id, PhoneNumberRow.deleted_at.is_(None)
    )
    bases = select(func.count()).where(
        KnowledgeBaseRow.organization_id == organization_id, KnowledgeBaseRow.deleted_at.is_(None)
    )
    size: ScalarSelect[int] = (
        select(func.coalesce(func.sum(KnowledgeDocumentRow.size_bytes), 0))
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == KnowledgeDocumentRow.knowledge_base_id)
        .where(
            KnowledgeBaseRow.organization_id == organization_id,
            KnowledgeBaseRow.deleted_at.is_(None),
            KnowledgeDocumentRow.deleted_at.is_(None),
        )
        .scalar_subquery()
    )
    projects = select(func.count()).where(ProjectRow.organization_id == organization_id)
    query = select(
        OrganizationRow.plan,
        projects.scalar_subquery(),
        agents.scalar_subquery(),
        numbers.scalar_subquery(),
        bases.scalar_subquery(),
        size,
    ).where(OrganizationRow.id == organization_id)
    return ResourceCounts(*(await db.execute(query)).one())
