"""The record of conversations that agent servers outside of Dialplane hold in a project's rooms.

They are not calls: nobody here answers, meters or bills them.
"""

import uuid
from typing import Any

from dispatch.accounts import Principal
from dispatch.errors import Conflict, NotFound
from dispatch.room_session import RoomSession, RoomTurn, SessionType
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import agents, room_sessions


class RoomSessions:
    """A project's room sessions; a room goes by LiveKit's name, which holds the project's id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(
        self,
        principal: Principal,
        room_name: str,
        *,
        new_id: uuid.UUID,
        agent_config_id: int | None = None,
        caller_identity: str | None = None,
        session_type: SessionType = "voice",
        metadata: dict[str, Any] | None = None,
    ) -> RoomSession:
        """Put the beginning of a conversation on record.

        Raises:
            NotFound: The project has no agent of this config id.
            Conflict: The room has a session that goes on.
        """
        new = room_sessions.NewRoomSession(
            id=new_id,
            project_id=principal.project_id,
            room_name=room_name,
            agent_config_id=agent_config_id,
            caller_identity=caller_identity,
            session_type=session_type,
            metadata=metadata or {},
        )
        async with self._database.transaction() as db:
            if agent_config_id is not None:
                known = await agents.find_agent_ids(db, principal.project_id, [agent_config_id])
                if not known:
                    raise NotFound("agent", agent_config_id)
            return await room_sessions.insert_room_session(db, new)

    async def add_turn(self, principal: Principal, room_name: str, turn: RoomTurn) -> RoomSession:
        """Put something said on record.

        Raises:
            NotFound: The room never had a session.
            Conflict: The room's session is over.
        """
        async with self._database.transaction() as db:
            # Locked, so that no turn is added to a session that ends meanwhile.
            session = await self._newest(db, principal, room_name)
            if not session.is_active:
                raise Conflict("The session is over; start another to add to its transcript.")
            await room_sessions.insert_turn(db, session.id, turn)
            return session

    async def end(
        self,
        principal: Principal,
        room_name: str,
        *,
        summary: str | None = None,
        duration_s: int | None = None,
    ) -> RoomSession:
        """Mark the room's session as over; one that is over stays as it was.

        Raises:
            NotFound: The room never had a session.
        """
        async with self._database.transaction() as db:
            session = await self._newest(db, principal, room_name)
            if not session.is_active:
                return session
            return await room_sessions.end_room_session(db, session.id, summary, duration_s)

    async def _newest(self, db: WriteSession, principal: Principal, room_name: str) -> RoomSession:
        found = await room_sessions.find_newest(
            db, principal.project_id, room_name, for_update=True
        )
        if found is None:
            raise NotFound("session", room_name)
        return found
