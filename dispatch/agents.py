"""Agents: written down in Postgres, then published to where calls are answered from."""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from dispatch.access.audit import record_change
from dispatch.accounts import Actor, Principal, Scope
from dispatch.agent_profile import (
    AgentDraft,
    AgentFilters,
    AgentProfile,
    AgentSummary,
    AgentVersion,
    GreetingMode,
    PipelineMode,
)
from dispatch.billing.plans import Resource
from dispatch.errors import Conflict, InvalidField, NotAllowed, NotFound, StoreUnavailable
from dispatch.models.rules import check_models
from dispatch.paging import Order, Page, PageRequest
from dispatch.routes import Route, Routes
from dispatch.store.engine import Database, ReadSession, WriteSession
from dispatch.store.repositories import agents, knowledge_bases, phone_numbers, tools
from dispatch.store.repositories.quotas import require_room_for
from dispatch.transfer_policy import CallTool
from telephony.e164 import parse_e164

logger = logging.getLogger(__name__)


class Agents:
    """A project's agents.

    Each change makes a new version. Calls in progress keep the version they began with; the next
    call gets the new one. When Redis does not answer, the change is kept all the same and the
    projection publishes it later.
    """

    def __init__(self, database: Database, routes: Routes) -> None:
        self._database = database
        self._routes = routes

    async def create(
        self,
        actor: Actor,
        principal: Principal,
        draft: AgentDraft,
        new_id: uuid.UUID | None = None,
        *,
        like: AgentDraft | None = None,
    ) -> AgentProfile:
        """Create an agent of the principal's project, as version 1.

        Args:
            actor: Who creates it.
            principal: On whose behalf.
            draft: What it shall be.
            new_id: Its id; a repetition with the same id returns the agent that is there.
            like: An agent of the project that it is a copy of.

        Raises:
            InvalidField: The models it names do not exist or do not fit.
            NotAllowed: The project's key would be sent to a new address, and the principal may not
                handle secrets.
            Conflict: The id was used before, and is not this project's agent (any more).
        """
        check_draft(draft)
        _check_addresses(principal, draft, like)
        agent_id = new_id or uuid.uuid4()
        organization_id, project_id = principal.organization_id, principal.project_id
        async with self._database.transaction() as db:
            await _check_references(db, project_id, draft)
            agent = await agents.insert_agent(db, agent_id, organization_id, project_id, draft)
            if agent is not None:
                await require_room_for(db, organization_id, Resource.AGENTS)
                await agents.insert_version(db, agent, actor)
                await _record(db, actor, "agent.created", agent, after=draft)
            else:
                agent = await agents.find_agent(db, project_id, agent_id)
            if agent is None:
                raise Conflict("The agent was created before, and deleted since.")
            [agent] = await tools.with_tools(db, [agent])
        await self._publish(agent)
        return agent

    async def get(self, principal: Principal, agent_id: uuid.UUID) -> AgentProfile:
        """Return an agent.

        Raises:
            NotFound: The project has no such agent.
        """
        async with self._database.reading() as db:
            return await _get(db, principal, agent_id)

    async def list(
        self,
        principal: Principal,
        page: PageRequest,
        filters: AgentFilters | None = None,
        order: Order | None = None,
    ) -> Page[AgentProfile]:
        """Return a page of the project's agents, newest first unless another order is wanted.

        Raises:
            InvalidField: Agents cannot be put in this order.
        """
        async with self._database.reading() as db:
            return await agents.list_agents(
                db, principal.project_id, page, filters or AgentFilters(), order
            )

    async def summaries(self, principal: Principal) -> tuple[AgentSummary, ...]:
        """Return all of the project's agents in short, the oldest first; 1,000 at most."""
        query, project = agents.SUMMARIES, {"project_id": principal.project_id}
        rows = await self._database.glance(query, project)
        return tuple(agents.to_summary(row) for row in rows)

    async def id_of(self, principal: Principal, config_id: int) -> uuid.UUID:
        """Return the id of the agent with this small number.

        Raises:
            NotFound: The project has no such agent.
        """
        async with self._database.reading() as db:
            found = await agents.find_agent_ids(db, principal.project_id, [config_id])
        if config_id not in found:
            raise NotFound("agent", config_id)
        return found[config_id]

    async def versions(
        self, principal: Principal, agent_id: uuid.UUID, page: PageRequest
    ) -> Page[AgentVersion]:
        """Return a page of an agent's versions, newest first.

        Raises:
            NotFound: The project has no such agent.
        """
        async with self._database.reading() as db:
            agent = await _get(db, principal, agent_id)
            return await agents.list_versions(db, agent, page)

    async def version(
        self, principal: Principal, agent_id: uuid.UUID, version: int
    ) -> AgentVersion:
        """Return an agent as it was in one version.

        Raises:
            NotFound: The project has no such agent, or the agent no such version.
        """
        async with self._database.reading() as db:
            agent = await _get(db, principal, agent_id)
            found = await agents.find_version(db, agent, version)
        if found is None:
            raise NotFound("version", version)
        return found

    async def update(
        self,
        actor: Actor,
        principal: Principal,
        agent_id: uuid.UUID,
        changes: Mapping[str, Any] | Callable[[AgentProfile], Mapping[str, Any]],
    ) -> AgentProfile:
        """Change some fields of an agent and return its new version.

        When nothing differs, no version is made.

        Args:
            actor: Who changes it.
            principal: On whose behalf.
            agent_id: Which agent.
            changes: New values by the names of `AgentDraft`'s fields, or what makes them of the
                agent as it is. A nested object (`models`, `turn_taking`, `script`) replaces the
                old one whole.

        Raises:
            NotFound: The project has no such agent.
            InvalidField: A field is unknown, or the agent would not be valid; nothing was changed.
            NotAllowed: As for `create`.
        """
        async with self._database.transaction() as db:
            before = await _get(db, principal, agent_id, for_update=True)
            draft = merge_draft(before, changes(before) if callable(changes) else changes)
            if draft == before.draft:
                return before
            check_draft(draft)
            _check_addresses(principal, draft, before.draft)
            await _check_references(db, principal.project_id, draft, before)
            agent = await agents.update_agent(db, agent_id, draft)
            await agents.insert_version(db, agent, actor)
            await _record(db, actor, "agent.updated", agent, before=before.draft, after=draft)
            [agent] = await tools.with_tools(db, [agent])
        await self._publish(agent)
        return agent

    async def delete(self, actor: Actor, principal: Principal, agent_id: uuid.UUID) -> None:
        """Delete an agent and take it off its numbers; its calls stay on record.

        Raises:
            NotFound: The project has no such agent.
        """
        async with self._database.transaction() as db:
            agent = await _get(db, principal, agent_id, for_update=True)
            revision = await agents.delete_agent(db, agent_id)
            detached = await phone_numbers.detach_agent(db, agent_id)
            await _record(db, actor, "agent.deleted", agent, before=agent.draft)
        await self._withdraw(agent_id, revision, detached)

    async def _publish(self, agent: AgentProfile) -> None:
        try:
            await self._routes.publish_agent(agent)
        except StoreUnavailable:
            logger.warning(
                "An agent is saved but not published yet.",
                extra={"agent_id": str(agent.agent_id), "version": agent.version},
            )

    async def _withdraw(
        self, agent_id: uuid.UUID, revision: int, detached: Sequence[Route]
    ) -> None:
        try:
            # The snapshot goes first: without it no call reaches the agent, whatever a route says.
            await self._routes.withdraw_agent(agent_id, revision)
            for route in detached:
                await self._routes.publish_route(route.did, route)
        except StoreUnavailable:
            logger.warning(
                "An agent is deleted but not withdrawn yet.", extra={"agent_id": str(agent_id)}
            )


async def _check_references(
    db: WriteSession,
    project_id: uuid.UUID,
    draft: AgentDraft,
    before: AgentProfile | None = None,
) -> None:
    for missing in await tools.missing_tools(db, project_id, draft.tool_ids):
        raise InvalidField("tool_ids", f"The project has no tool {missing}.")
    by_script = draft.models.llm.provider == "builtin"
    if by_script and draft.script.looks_up_knowledge and not draft.knowledge_base_ids:
        raise InvalidField(
            "knowledge_base_ids",
            "The script looks things up, and the agent has nothing to look in.",
        )
    # One that was deleted since must not make the agent unchangeable; nothing is found in it.
    added = set(draft.knowledge_base_ids) - set(before.knowledge_base_ids if before else ())
    bases = await knowledge_bases.find_knowledge_bases(db, project_id, list(added))
    for missing in added - {base.id for base in bases}:
        raise InvalidField("knowledge_base_ids", f"The project has no knowledge base {missing}.")
    # Likewise; nothing is handed over to an agent that is deleted.
    new = set(draft.handoff_agent_ids) - set(before.handoff_agent_ids if before else ())
    others = await agents.find_agents(db, project_id, list(new))
    for missing in new - {other.agent_id for other in others}:
        raise InvalidField("handoff_agent_ids", f"The project has no agent {missing}.")
    if before is not None and before.agent_id in draft.handoff_agent_ids:
        raise InvalidField("handoff_agent_ids", "An agent cannot hand over to itself.")
    await _check_own_number(db, project_id, draft, before)


async def _check_own_number(
    db: ReadSession, project_id: uuid.UUID, draft: AgentDraft, before: AgentProfile | None
) -> None:
    number = draft.transfer.from_number
    # Likewise; a call that would be passed on from it says that the number is gone.
    if number is None or (before is not None and number == before.transfer.from_number):
        return
    page = await phone_numbers.list_numbers(
        db, project_id, PageRequest(limit=1), [parse_e164(number)]
    )
    if not page.items:
        raise InvalidField("transfer.from_number", f"The project has no phone number {number}.")


def _check_addresses(principal: Principal, draft: AgentDraft, known: AgentDraft | None) -> None:
    """Let nobody have a key sent to a server of their own who may not handle secrets."""
    new = _addresses(draft) - (_addresses(known) if known else set())
    if new and Scope.SECRETS_WRITE not in principal.scopes:
        raise NotAllowed(
            "A model at a base URL is sent the project's key, so it needs the scope secrets:write."
        )


def _addresses(draft: AgentDraft) -> set[tuple[str | None, str]]:
    """Return which key goes to which server other than its vendor's."""
    choices = (*draft.models.pipeline, draft.models.realtime)
    return {
        (choice.key_name, choice.base_url)
        for choice in choices
        if choice is not None and choice.base_url is not None
    }


async def _get(
    db: ReadSession, principal: Principal, agent_id: uuid.UUID, *, for_update: bool = False
) -> AgentProfile:
    agent = await agents.find_agent(db, principal.project_id, agent_id, for_update=for_update)
    if agent is None:
        raise NotFound("agent", agent_id)
    return agent


async def _record(
    db: WriteSession,
    actor: Actor,
    action: str,
    agent: AgentProfile,
    *,
    before: AgentDraft | None = None,
    after: AgentDraft | None = None,
) -> None:
    await record_change(
        db,
        actor,
        action,
        target_type="agent",
        target_id=agent.agent_id,
        organization_id=agent.organization_id,
        project_id=agent.project_id,
        before=None if before is None else before.model_dump(mode="json"),
        after=None if after is None else after.model_dump(mode="json"),
    )


def check_draft(draft: AgentDraft) -> None:
    """Accept an agent whose models exist and fit its mode, its language and each other.

    Raises:
        InvalidField: The first thing that is wrong: which field, and what is allowed.
    """
    mode = draft.voice_pipeline_mode
    is_scripted = mode is PipelineMode.PIPELINE and draft.models.llm.provider == "builtin"
    if draft.voice_enabled and is_scripted and draft.greeting_mode is GreetingMode.GENERATE:
        raise InvalidField(
            "greeting_mode", "a script makes nothing up: let it say the greeting, or wait"
        )
    for tool in CallTool:
        if is_scripted and tool in draft.script.tools and tool not in draft.tools_allowed:
            raise InvalidField(
                "tools_allowed", f"The script uses {tool}, which is not allowed here."
            )
    if place := draft.script.unspeakable:
        raise InvalidField(
            f"script.{place}",
            f"{place} says the keys of a sensitive entry, which nobody is shown. Say their number, "
            "{result.count}, or ask for them without sensitive.",
        )
    check_models(
        draft.models,
        language=draft.language,
        needs_sts=draft.voice_enabled and mode in {PipelineMode.STS, PipelineMode.HYBRID},
        needs_phrases=draft.voice_enabled
        and mode is PipelineMode.PIPELINE
        and not draft.script.phrases,
    )


def merge_draft(agent: AgentProfile, changes: Mapping[str, Any]) -> AgentDraft:
    """Return the agent's draft with some fields replaced, validated as a whole.

    Raises:
        InvalidField: A field is unknown or the result is not valid; names the first such field.
    """
    return draft_of(agent.model_dump(include=set(AgentDraft.model_fields)) | dict(changes))


def draft_of(fields: Mapping[str, Any]) -> AgentDraft:
    """Return fields as a draft; that its models exist and fit is `check_draft`'s to say.

    Raises:
        InvalidField: A field is unknown, missing or of the wrong shape; names the first such field.
    """
    try:
        return AgentDraft.model_validate(dict(fields))
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        # A rule about several fields has no place of its own; its sentence begins with the one
        # that has to change.
        field = ".".join(str(part) for part in first["loc"]) or message.partition(" ")[0]
        raise InvalidField(field, message) from exc
