"""Tools in Postgres, and agents with the tools they use."""

import uuid
from collections.abc import Iterable, Sequence

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.agent_profile import AgentProfile
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.agents import to_profile
from dispatch.store.repositories.paged import AnyRow, fetch_page
from dispatch.store.tables import AgentRow, ToolRow
from dispatch.tool_definition import ToolDefinition, ToolDraft


async def lock_names(db: WriteSession, project_id: uuid.UUID) -> None:
    """Let nobody else name a tool of the project before the end of the transaction."""
    await db.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"tools:{project_id}", 0)))
    )


async def insert_tool(
    db: WriteSession,
    tool_id: uuid.UUID,
    organization_id: uuid.UUID,
    project_id: uuid.UUID,
    draft: ToolDraft,
) -> ToolDefinition | None:
    """Store a tool; return None, with nothing stored, when its id or its name is taken."""
    statement = (
        insert(ToolRow)
        .values(
            id=tool_id,
            organization_id=organization_id,
            project_id=project_id,
            name=draft.name,
            draft=draft.model_dump(mode="json"),
        )
        .on_conflict_do_nothing()
        .returning(ToolRow)
    )
    row = (await db.scalars(statement)).one_or_none()
    return None if row is None else _to_definition(row)


async def find_tool(
    db: ReadSession, project_id: uuid.UUID, tool_id: uuid.UUID, *, for_update: bool = False
) -> ToolDefinition | None:
    """Return a project's tool unless it is deleted."""
    query = _live(project_id).where(ToolRow.id == tool_id)
    if for_update:
        query = query.with_for_update()
    row = (await db.scalars(query)).one_or_none()
    return None if row is None else _to_definition(row)


async def has_name(db: ReadSession, project_id: uuid.UUID, name: str) -> bool:
    """Whether a tool of the project has this name."""
    return await db.scalar(_live(project_id).where(ToolRow.name == name)) is not None


async def count_tools(db: ReadSession, project_id: uuid.UUID) -> int:
    """Return how many tools a project has."""
    live = _live(project_id).subquery()
    return (await db.scalar(select(func.count()).select_from(live))) or 0


async def list_tools(
    db: ReadSession, project_id: uuid.UUID, page: PageRequest, name_part: str | None = None
) -> Page[ToolDefinition]:
    """Return a page of a project's tools, newest first; of those with this in their names."""
    query = _live(project_id).order_by(ToolRow.created_at.desc(), ToolRow.id)
    if name_part:
        query = query.where(ToolRow.name.icontains(name_part, autoescape=True))
    return await fetch_page(db, query, page, _only_definition)


async def update_tool(db: WriteSession, tool_id: uuid.UUID, draft: ToolDraft) -> ToolDefinition:
    """Store a tool's new draft."""
    statement = (
        update(ToolRow)
        .where(ToolRow.id == tool_id)
        .values(name=draft.name, draft=draft.model_dump(mode="json"), updated_at=func.now())
        .returning(ToolRow)
        .execution_options(populate_existing=True)
    )
    return _to_definition((await db.scalars(statement)).one())


async def delete_tool(db: WriteSession, tool_id: uuid.UUID) -> None:
    """Mark a tool as deleted."""
    await db.execute(
        update(ToolRow)
        .where(ToolRow.id == tool_id)
        .values(deleted_at=func.now(), updated_at=func.now())
    )


async def missing_tools(
    db: WriteSession, project_id: uuid.UUID, tool_ids: Sequence[uuid.UUID]
) -> tuple[uuid.UUID, ...]:
    """Return those of the ids that are no tool of the project, and keep the others from going."""
    query = _live(project_id).where(ToolRow.id.in_(tool_ids)).with_for_update(read=True)
    found = {row.id for row in await db.scalars(query)} if tool_ids else set()
    return tuple(tool_id for tool_id in tool_ids if tool_id not in found)


async def list_users(
    db: WriteSession, project_id: uuid.UUID, tool_id: uuid.UUID
) -> tuple[AgentProfile, ...]:
    """Return the agents that use a tool, and let nobody else change them meanwhile."""
    query = (
        select(AgentRow)
        .where(
            AgentRow.project_id == project_id,
            AgentRow.deleted_at.is_(None),
            AgentRow.draft["tool_ids"].has_key(str(tool_id)),
        )
        .order_by(AgentRow.id)
        .with_for_update()
    )
    return tuple(to_profile(row) for row in await db.scalars(query))


async def touch_agents(
    db: WriteSession, agent_ids: Iterable[uuid.UUID]
) -> tuple[AgentProfile, ...]:
    """Note that agents' snapshots are out of date; return the agents under their new revisions."""
    statement = (
        update(AgentRow)
        .where(AgentRow.id.in_(list(agent_ids)))
        .values(updated_at=func.now())
        .returning(AgentRow)
        .execution_options(populate_existing=True)
    )
    return tuple(to_profile(row) for row in await db.scalars(statement))


async def with_tools(db: ReadSession, agents: Sequence[AgentProfile]) -> list[AgentProfile]:
    """Return agents with the definitions of their tools, in the agents' order."""
    wanted = {tool_id for agent in agents for tool_id in agent.tool_ids}
    if not wanted:
        return list(agents)
    query = select(ToolRow).where(ToolRow.id.in_(wanted), ToolRow.deleted_at.is_(None))
    rows = {(row.project_id, row.id): _to_definition(row) for row in await db.scalars(query)}
    return [
        agent.model_copy(
            update={
                "tools": tuple(
                    rows[agent.project_id, tool_id]
                    for tool_id in agent.tool_ids
                    if (agent.project_id, tool_id) in rows
                )
            }
        )
        for agent in agents
    ]


def _live(project_id: uuid.UUID) -> Select[ToolRow]:
    return select(ToolRow).where(ToolRow.project_id == project_id, ToolRow.deleted_at.is_(None))


def _to_definition(row: ToolRow) -> ToolDefinition:
    return ToolDefinition.model_validate(
        {
            **row.draft,
            "tool_id": row.id,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
    )


def _only_definition(row: AnyRow) -> ToolDefinition:
    return _to_definition(row[0])
