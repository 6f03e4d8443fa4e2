"""A project's tools: on record, and in the snapshots of the agents that use them."""

import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from dispatch.access.audit import record_change
from dispatch.accounts import EVERY_SCOPE, Actor, Project, Scope
from dispatch.agent_profile import AgentProfile
from dispatch.errors import Conflict, InvalidField, NotAllowed, NotFound, StoreUnavailable
from dispatch.paging import Page, PageRequest
from dispatch.routes import Routes
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import accounts, agents, tools
from dispatch.tool_definition import ToolDefinition, ToolDraft
from dispatch.tools.addresses import AllowedHosts, HostRefused
from dispatch.tools.requests import origin_of_text

logger = logging.getLogger(__name__)

_INNER: Final = re.compile(r"([a-z][\w.]*): (.+)", re.DOTALL)

MOST_TOOLS: Final = 500
"""Tools of one project."""


class Tools:
    """The tools of all projects.

    A changed tool is in every next call of the agents that use it; calls in progress keep what
    they began with. Deleting a tool takes it away from its agents, each of which gets a version
    without it. When Redis does not answer, the change is kept and the projection publishes it.

    Args:
        database: Where they are on record.
        routes: Where the agents' snapshots are.
        allowed: Hosts that the operator allows by name.
    """

    def __init__(self, database: Database, routes: Routes, allowed: AllowedHosts) -> None:
        self._database = database
        self._routes = routes
        self._allowed = allowed

    async def create(
        self,
        actor: Actor,
        project_id: uuid.UUID,
        draft: ToolDraft,
        new_id: uuid.UUID,
        scopes: frozenset[Scope] = EVERY_SCOPE,
    ) -> ToolDefinition:
        """Create a tool.

        Args:
            actor: Who creates it.
            project_id: Whose it is.
            draft: What it shall be.
            new_id: Its id; a repetition with the same id returns the tool that is there.
            scopes: What the actor may do; a tool with secrets in its headers needs
                `secrets:write`, for it can carry them away.

        Raises:
            NotFound: There is no such project.
            NotAllowed: The tool names secrets, and the actor may not handle them.
            InvalidField: Its URL leads to where no tool may go, or the project has too many tools.
            Conflict: Another tool has its name, or the id was used before and is gone.
        """
        self._check_host(draft)
        _check_secrets(draft, scopes)
        async with self._database.transaction() as db:
            project = await accounts.get_project(db, project_id)
            await tools.lock_names(db, project_id)
            there = await tools.find_tool(db, project_id, new_id)
            if there is not None:
                return there
            if await tools.has_name(db, project_id, draft.name):
                raise Conflict(f"The project has a tool named {draft.name} already.")
            if await tools.count_tools(db, project_id) >= MOST_TOOLS:
                raise InvalidField("name", f"A project has at most {MOST_TOOLS} tools.")
            organization_id = project.organization_id
            tool = await tools.insert_tool(db, new_id, organization_id, project_id, draft)
            if tool is None:
                raise Conflict("The tool was created before, and deleted since.")
            await _record(db, actor, "tool.created", project, tool.tool_id, after=draft)
        return tool

    async def get(self, project_id: uuid.UUID, tool_id: uuid.UUID) -> ToolDefinition:
        """Return a tool.

        Raises:
            NotFound: The project has no such tool.
        """
        async with self._database.reading() as db:
            tool = await tools.find_tool(db, project_id, tool_id)
        if tool is None:
            raise NotFound("tool", tool_id)
        return tool

    async def list(
        self, project_id: uuid.UUID, page: PageRequest, name_part: str | None = None
    ) -> Page[ToolDefinition]:
        """Return a page of the project's tools, newest first; of those with this in their names.

        Raises:
            NotFound: There is no such project.
        """
        async with self._database.reading() as db:
            await accounts.get_project(db, project_id)
            return await tools.list_tools(db, project_id, page, name_part)

    async def of_agent(
        self, project_id: uuid.UUID, agent_id: uuid.UUID
    ) -> tuple[ToolDefinition, ...]:
        """Return the tools that an agent uses, in its order.

        Raises:
            NotFound: The project has no such agent.
        """
        async with self._database.reading() as db:
            agent = await agents.find_agent(db, project_id, agent_id)
            if agent is None:
                raise NotFound("agent", agent_id)
            [agent] = await tools.with_tools(db, [agent])
        return agent.tools

    async def filled_in(self, profiles: Sequence[AgentProfile]) -> Sequence[AgentProfile]:
        """Return agents with the definitions of their tools."""
        async with self._database.reading() as db:
            return await tools.with_tools(db, profiles)

    async def update(
        self,
        actor: Actor,
        project_id: uuid.UUID,
        tool_id: uuid.UUID,
        changes: Mapping[str, Any],
        scopes: frozenset[Scope] = EVERY_SCOPE,
    ) -> ToolDefinition:
        """Change some fields of a tool.

        Args:
            actor: Who changes it.
            project_id: Whose it is.
            tool_id: Which tool.
            changes: New values by the names of `ToolDraft`'s fields; `http` and `parameters`
                replace the old ones whole.
            scopes: What the actor may do, as for `create`.

        Raises:
            NotFound: The project has no such tool.
            NotAllowed: The tool names secrets, and the actor may not handle them.
            InvalidField: A field is unknown or wrong; nothing was changed.
            Conflict: Another tool has the new name.
        """
        async with self._database.transaction() as db:
            project = await accounts.get_project(db, project_id)
            await tools.lock_names(db, project_id)
            before = await tools.find_tool(db, project_id, tool_id, for_update=True)
            if before is None:
                raise NotFound("tool", tool_id)
            draft = tool_draft_of(before.draft.model_dump() | dict(changes))
            if draft == before.draft:
                return before
            self._check_host(draft)
            _check_secrets(draft, scopes)
            if draft.name != before.name and await tools.has_name(db, project_id, draft.name):
                raise Conflict(f"The project has a tool named {draft.name} already.")
            tool = await tools.update_tool(db, tool_id, draft)
            await _record(
                db, actor, "tool.updated", project, tool_id, before=before.draft, after=draft
            )
            users = await tools.list_users(db, project_id, tool_id)
            touched = await tools.touch_agents(db, [agent.agent_id for agent in users])
            changed = await tools.with_tools(db, touched)
        await self._publish(changed)
        return tool

    async def delete(self, actor: Actor, project_id: uuid.UUID, tool_id: uuid.UUID) -> None:
        """Delete a tool and take it away from the agents that use it.

        Raises:
            NotFound: The project has no such tool.
        """
        async with self._database.transaction() as db:
            project = await accounts.get_project(db, project_id)
            tool = await tools.find_tool(db, project_id, tool_id, for_update=True)
            if tool is None:
                raise NotFound("tool", tool_id)
            await tools.delete_tool(db, tool_id)
            await _record(db, actor, "tool.deleted", project, tool_id, before=tool.draft)
            left = [
                await _take_away(db, actor, agent, tool_id)
                for agent in await tools.list_users(db, project_id, tool_id)
            ]
            changed = await tools.with_tools(db, left)
        await self._publish(changed)

    def _check_host(self, draft: ToolDraft) -> None:
        try:
            self._allowed.check(*origin_of_text(draft.http.url))
        except HostRefused as exc:
            raise InvalidField("http.url", str(exc)) from exc

    async def _publish(self, changed: Sequence[AgentProfile]) -> None:
        try:
            for agent in changed:
                await self._routes.publish_agent(agent)
        except StoreUnavailable:
            logger.warning("A tool is saved but its agents are not published yet.")


def _check_secrets(draft: ToolDraft, scopes: frozenset[Scope]) -> None:
    if any(draft.http.secrets) and Scope.SECRETS_WRITE not in scopes:
        raise NotAllowed("A tool with secrets in its headers needs the scope secrets:write.")


async def _take_away(
    db: WriteSession, actor: Actor, agent: AgentProfile, tool_id: uuid.UUID
) -> AgentProfile:
    """Give an agent a new version without the tool."""
    left = tuple(other for other in agent.tool_ids if other != tool_id)
    changed = await agents.update_agent(
        db, agent.agent_id, agent.draft.model_copy(update={"tool_ids": left})
    )
    await agents.insert_version(db, changed, actor)
    await record_change(
        db,
        actor,
        "agent.updated",
        target_type="agent",
        target_id=agent.agent_id,
        organization_id=agent.organization_id,
        project_id=agent.project_id,
        before={"tool_ids": agent.tool_ids},
        after={"tool_ids": left},
    )
    return changed


async def _record(
    db: WriteSession,
    actor: Actor,
    action: str,
    project: Project,
    tool_id: uuid.UUID,
    *,
    before: ToolDraft | None = None,
    after: ToolDraft | None = None,
) -> None:
    await record_change(
        db,
        actor,
        action,
        target_type="tool",
        target_id=tool_id,
        organization_id=project.organization_id,
        project_id=project.id,
        before=None if before is None else before.model_dump(mode="json"),
        after=None if after is None else after.model_dump(mode="json"),
    )


def tool_draft_of(fields: Mapping[str, Any]) -> ToolDraft:
    """Return fields as a draft.

    Raises:
        InvalidField: A field is unknown, missing or wrong; names the first such field.
    """
    try:
        return ToolDraft.model_validate(dict(fields))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        place = [str(part) for part in first["loc"]]
        # A rule about several fields names the one that has to change in front.
        inner = _INNER.fullmatch(message)
        if inner is not None:
            place, message = [*place, inner[1]], inner[2]
        raise InvalidField(".".join(place), message) from exc
