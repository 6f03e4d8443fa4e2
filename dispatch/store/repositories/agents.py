"""Agents in Postgres."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.accounts import Actor
from dispatch.agent_profile import (
    AgentDraft,
    AgentFilters,
    AgentProfile,
    AgentSummary,
    AgentVersion,
    PipelineMode,
)
from dispatch.paging import Order, Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, AnySelect, fetch_page, ordered
from dispatch.store.tables import AgentRow, AgentVersionRow

_MOST_SUMMARIES = 1_000


async def insert_agent(
    db: WriteSession,
    agent_id: uuid.UUID,
    organization_id: uuid.UUID,
    project_id: uuid.UUID,
    draft: AgentDraft,
) -> AgentProfile | None:
    """Store an agent as version 1; return None, with nothing stored, when its id is taken."""
    statement = (
        insert(AgentRow)
        .values(
            id=agent_id,
            organization_id=organization_id,
            project_id=project_id,
            version=1,
            draft=draft.model_dump(mode="json"),
        )
        .on_conflict_do_nothing(index_elements=[AgentRow.id])
        .returning(AgentRow)
    )
    row = (await db.execute(statement)).scalar_one_or_none()
    return None if row is None else to_profile(row)


async def insert_version(db: WriteSession, agent: AgentProfile, actor: Actor) -> None:
    """Keep an agent as it is now, in the transaction that made it so."""
    statement = insert(AgentVersionRow).values(
        agent_id=agent.agent_id,
        version=agent.version,
        draft=agent.draft.model_dump(mode="json"),
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
    )
    await db.execute(statement)


async def list_versions(
    db: ReadSession, agent: AgentProfile, page: PageRequest
) -> Page[AgentVersion]:
    """Return a page of an agent's versions, newest first."""
    query = (
        select(AgentVersionRow)
        .where(AgentVersionRow.agent_id == agent.agent_id)
        .order_by(AgentVersionRow.version.desc())
    )
    return await fetch_page(db, query, page, lambda row: _to_version(agent, row[0]))


async def find_version(db: ReadSession, agent: AgentProfile, version: int) -> AgentVersion | None:
    """Return one version of an agent, or None when there was none of that number."""
    row = await db.get(AgentVersionRow, (agent.agent_id, version))
    return None if row is None else _to_version(agent, row)


async def find_agents(
    db: ReadSession, project_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> Sequence[AgentProfile]:
    """Return those of a project's agents that are not deleted, in the ids' order."""
    query = select(AgentRow).where(
        AgentRow.id.in_(ids),
        AgentRow.project_id == project_id,
        AgentRow.deleted_at.is_(None),
    )
    found = {row.id: to_profile(row) for row in await db.scalars(query)}
    return [found[agent_id] for agent_id in ids if agent_id in found]


async def find_agent(
    db: ReadSession,
    project_id: uuid.UUID,
    agent_id: uuid.UUID,
    *,
    for_update: bool = False,
    for_share: bool = False,
) -> AgentProfile | None:
    """Return a project's agent unless it is deleted.

    Args:
        db: An open transaction; a writing one if the agent is to be locked.
        project_id: Whose agent.
        agent_id: Which agent.
        for_update: Let nobody else change it before the end of the transaction.
        for_share: Let nobody delete it before the end of the transaction.
    """
    query = select(AgentRow).where(
        AgentRow.id == agent_id,
        AgentRow.project_id == project_id,
        AgentRow.deleted_at.is_(None),
    )
    if for_update or for_share:
        query = query.with_for_update(read=for_share)
    row = (await db.execute(query)).scalar_one_or_none()
    return None if row is None else to_profile(row)


async def find_agent_ids(
    db: ReadSession, project_id: uuid.UUID, config_ids: Sequence[int]
) -> dict[int, uuid.UUID]:
    """Return the ids of a project's agents by their small numbers, of those that it has."""
    query = select(AgentRow.config_id, AgentRow.id).where(
        AgentRow.project_id == project_id,
        AgentRow.config_id.in_(config_ids),
        AgentRow.deleted_at.is_(None),
    )
    rows = await db.execute(query)
    return {row.config_id: row.id for row in rows}


def _summaries() -> AnySelect:
    draft = AgentRow.draft
    models = draft["models"]
    mode = case((draft["voice_enabled"].as_boolean(), draft["voice_pipeline_mode"].as_string()))
    thinking = case((mode == PipelineMode.STS, models["realtime"]), else_=models["llm"])
    return (
        select(
            AgentRow.id,
            AgentRow.config_id,
            draft["name"].as_string(),
            draft["is_active"].as_boolean(),
            mode,
            thinking["provider"].as_string(),
            thinking["model"].as_string(),
        )
        .where(AgentRow.project_id == bindparam("project_id"), AgentRow.deleted_at.is_(None))
        .order_by(AgentRow.config_id)
        .limit(_MOST_SUMMARIES)
    )


SUMMARIES: Final = _summaries()
"""Query for the agents in short of the project `project_id`; it reads no whole draft. Built once:
building it takes longer than running it."""


def to_summary(row: AnyRow) -> AgentSummary:
    """Return a row of `SUMMARIES` as an agent in short."""
    agent_id, config_id, name, is_active, mode, provider, model = row
    return AgentSummary(
        agent_id, config_id, name, is_active, mode and PipelineMode(mode), provider, model
    )


async def list_agents(
    db: ReadSession,
    project_id: uuid.UUID,
    page: PageRequest,
    filters: AgentFilters,
    order: Order | None,
) -> Page[AgentProfile]:
    """Return a page of a project's agents, newest first unless another order is wanted."""
    query: AnySelect = select(AgentRow).where(
        AgentRow.project_id == project_id, AgentRow.deleted_at.is_(None)
    )
    name = AgentRow.draft["name"].as_string()
    if filters.name_part is not None:
        query = query.where(name.icontains(filters.name_part, autoescape=True))
    if filters.is_active is not None:
        query = query.where(AgentRow.draft["is_active"].as_boolean() == filters.is_active)
    columns = {
        "created_at": AgentRow.created_at,
        "updated_at": AgentRow.updated_at,
        "name": name,
    }
    return await fetch_page(db, ordered(query, order, columns, AgentRow.id), page, _only_profile)


async def update_agent(db: WriteSession, agent_id: uuid.UUID, draft: AgentDraft) -> AgentProfile:
    """Store a new version of an agent."""
    statement = (
        update(AgentRow)
        .where(AgentRow.id == agent_id)
        .values(
            draft=draft.model_dump(mode="json"),
            version=AgentRow.version + 1,
            updated_at=func.now(),
        )
        .returning(AgentRow)
        .execution_options(populate_existing=True)
    )
    return to_profile((await db.execute(statement)).scalar_one())


async def delete_agent(db: WriteSession, agent_id: uuid.UUID) -> int:
    """Mark an agent as deleted; return the revision of that."""
    statement = (
        update(AgentRow)
        .where(AgentRow.id == agent_id)
        .values(deleted_at=func.now(), updated_at=func.now())
        .returning(AgentRow.revision)
    )
    return (await db.execute(statement)).scalar_one()


async def list_changed_since(
    db: ReadSession, since: datetime | None, after: uuid.UUID | None, limit: int
) -> Sequence[tuple[uuid.UUID, int, AgentProfile | None]]:
    """Return agents of all tenants by id, with revision and profile, None for one that is deleted.

    Args:
        db: An open transaction.
        since: Only what changed since; None for everything.
        after: Only ids behind this one; None from the first.
        limit: At most so many.
    """
    query = select(AgentRow).order_by(AgentRow.id).limit(limit)
    if since is not None:
        query = query.where(AgentRow.updated_at >= since)
    if after is not None:
        query = query.where(AgentRow.id > after)
    rows = (await db.scalars(query)).all()
    return [(row.id, row.revision, None if row.deleted_at else to_profile(row)) for row in rows]


def _to_version(agent: AgentProfile, row: AgentVersionRow) -> AgentVersion:
    profile = {
        **agent.model_dump(exclude=set(AgentDraft.model_fields)),
        **row.draft,
        "version": row.version,
        "updated_at": row.created_at,
        # It is looked at and never published.
        "revision": 0,
    }
    return AgentVersion(
        profile=AgentProfile.model_validate(profile),
        changed_by_kind=row.actor_kind,
        changed_by_id=row.actor_id,
        changed_by_name=row.actor_name,
    )


def to_profile(row: AgentRow) -> AgentProfile:
    """Return a stored agent as the call path knows it."""
    return AgentProfile.model_validate(
        {
            **row.draft,
            "agent_id": row.id,
            "config_id": row.config_id,
            "organization_id": row.organization_id,
            "project_id": row.project_id,
            "version": row.version,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "revision": row.revision,
        }
    )


def _only_profile(row: AnyRow) -> AgentProfile:
    return to_profile(row[0])
