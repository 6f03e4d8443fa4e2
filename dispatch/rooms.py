"""A project's rooms: access tokens for them, with or without agents, and who is there."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dispatch.accounts import Principal
from dispatch.errors import Conflict, NotFound
from dispatch.store.engine import Database
from dispatch.store.repositories import agents
from dispatch.voice_sessions import SessionGrants, VoiceSessions
from telephony.ports import ObservedParticipant, ObservedRoom, RoomControl

_PREFIX: Final = "proj_"
_MOST_CONFIG_IDS: Final = 10_000
"""How many agents one process remembers by their small number."""


@dataclass(frozen=True, slots=True)
class RoomAccess:
    """A token for a room, and which agents were sent there for it."""

    token: str
    room_name: str
    """LiveKit's name of the room."""
    dispatched: tuple[int, ...]
    """Config ids of the agents that were sent now."""


@dataclass(frozen=True, slots=True)
class ProjectRoom:
    """An open room of a project."""

    name: str
    """As its clients call it."""
    observed: ObservedRoom


def full_name(project_id: uuid.UUID, name: str) -> str:
    """Return LiveKit's name of a project's room.

    The whole id stands in it: with a part of it two projects could meet in one room. A name that
    already carries the project's own prefix is returned as it is.
    """
    prefix = f"{_PREFIX}{project_id.hex}_"
    return name if name.startswith(prefix) else prefix + name


class Rooms:
    """Rooms whose names carry a project's id."""

    def __init__(
        self, database: Database, rooms: RoomControl, voice_sessions: VoiceSessions
    ) -> None:
        self._database = database
        self._rooms = rooms
        self._voice_sessions = voice_sessions
        # Neither number nor id of an agent ever changes, so this needs no invalidation.
        self._agent_ids: dict[tuple[uuid.UUID, int], uuid.UUID] = {}

    async def open(
        self,
        principal: Principal,
        name: str,
        identity: str,
        *,
        agent_config_ids: Sequence[int] = (),
        grants: SessionGrants | None = None,
    ) -> RoomAccess:
        """Return a token for a room, and send agents there.

        Asked again for a room in which an agent is at work, it sends none and returns a token: a
        client that comes back, or a second one, joins the conversation.

        Args:
            principal: Owner of room and agents; pays for the calls.
            name: The room, without prefix. LiveKit opens it when somebody joins.
            identity: The client's participant identity.
            agent_config_ids: Agents to send; each one's conversation is a call of its own.
            grants: What the token allows.

        Raises:
            NotFound: The project has no agent of one of these ids.
            AgentNotVoiceReady: An agent is inactive or not for voice.
            InsufficientCredits: The balance does not cover a first block, or is unknown.
            CapacityReached: No slot is free.
            RoomUnavailable: LiveKit did not take the job.
            StoreUnavailable: A store could not be reached.
        """
        room_name = full_name(principal.project_id, name)
        grants = grants or SessionGrants()
        agent_ids = await self._agents(principal.project_id, agent_config_ids)
        dispatched = []
        is_open = bool(agent_ids) and bool(await self._rooms.list_rooms([room_name]))
        for config_id, agent_id in agent_ids.items():
            try:
                await self._voice_sessions.open(
                    principal,
                    agent_id,
                    room_name,
                    identity,
                    seat=str(config_id) if len(agent_ids) > 1 else "",
                    grants=grants,
                    room_is_open=is_open,
                )
            except Conflict:
                continue  # It is at work there.
            is_open = True
            dispatched.append(config_id)
        token = self._voice_sessions.token(room_name, identity, grants)
        return RoomAccess(token, room_name, tuple(dispatched))

    async def list(self, principal: Principal) -> tuple[ProjectRoom, ...]:
        """Return the project's open rooms, by name.

        Raises:
            VendorError: LiveKit could not be asked.
        """
        prefix = full_name(principal.project_id, "")
        found = [
            ProjectRoom(room.name.removeprefix(prefix), room)
            for room in await self._rooms.list_rooms()
            if room.name.startswith(prefix)
        ]
        return tuple(sorted(found, key=lambda room: room.name))

    async def participants(
        self, principal: Principal, name: str
    ) -> tuple[ObservedParticipant, ...]:
        """Return who is in one of the project's rooms.

        Raises:
            NotFound: The room is not open.
            VendorError: LiveKit could not be asked.
        """
        room_name = full_name(principal.project_id, name)
        open_rooms, present = await asyncio.gather(
            self._rooms.list_rooms([room_name]), self._rooms.list_participants(room_name)
        )
        if not open_rooms:
            raise NotFound("room", name)
        return tuple(sorted(present, key=lambda participant: participant.identity))

    async def _agents(
        self, project_id: uuid.UUID, config_ids: Sequence[int]
    ) -> dict[int, uuid.UUID]:
        wanted = dict.fromkeys(config_ids)
        unknown = [each for each in wanted if (project_id, each) not in self._agent_ids]
        if unknown:
            async with self._database.reading() as db:
                found = await agents.find_agent_ids(db, project_id, unknown)
            if len(self._agent_ids) + len(found) > _MOST_CONFIG_IDS:
                asked_for = {(project_id, each) for each in wanted}
                kept = {key: each for key, each in self._agent_ids.items() if key in asked_for}
                self._agent_ids = kept
            self._agent_ids |= {(project_id, number): each for number, each in found.items()}
        try:
            return {each: self._agent_ids[project_id, each] for each in wanted}
        except KeyError as exc:
            raise NotFound("agent", exc.args[0][1]) from exc
