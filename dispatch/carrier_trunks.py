"""Where calls to carriers go, as the job that dials reads it; no trunk of LiveKit's is needed."""

import uuid

from dispatch.errors import NoWayOut, SecretUnreadable
from dispatch.outbound_call import PlacedCall
from dispatch.routes import Routes
from dispatch.secrets.envelope import KeyRing
from dispatch.secrets.passwords import termination_purpose_of
from dispatch.settings import DispatchSettings
from dispatch.store.outbound_store import OutboundStore
from dispatch.store.redis_client import RedisClient
from telephony.e164 import E164
from telephony.ports import SipServer


class CarrierTrunks:
    """Carriers as calls are placed with them. Every method raises `StoreUnavailable`.

    Args:
        redis: Where copies of the connections are.
        settings: The installation's.
    """

    def __init__(self, redis: RedisClient, settings: DispatchSettings) -> None:
        self._store = OutboundStore(redis, settings)
        self._routes = Routes(redis)
        self._keys = KeyRing.parse(settings.dialplane_secrets_keys.get_secret_value())

    async def find(self, connection_id: uuid.UUID) -> SipServer | None:
        """Return where calls on a connection go; None when its carrier only calls in.

        Raises:
            SecretUnreadable: Its password does not open with the keys of this process.
        """
        trunk = await self._routes.get_trunk(connection_id)
        if trunk is None:
            return None
        password = ""
        if trunk.password_sealed is not None:
            if trunk.data_key is None:
                raise SecretUnreadable("A carrier's password has lost its data key.")
            data_key = self._keys.open_data_key(trunk.project_id, trunk.data_key)
            purpose = termination_purpose_of(connection_id)
            password = data_key.open(purpose, trunk.password_sealed).decode()
        return SipServer(trunk.hostname, trunk.username or "", password)

    async def of_number(self, number: str | None, project_id: uuid.UUID) -> SipServer:
        """Return where calls go that show a number of a project, in E.164; None is no number.

        Raises:
            NoWayOut: There is no number, it is not the project's, or its carrier only calls in.
            SecretUnreadable: As for `find`.
        """
        if number is None:
            raise NoWayOut("There is no number to call from: the agent has no fromNumber.")
        route = await self._routes.get_route(E164(number))
        if route is None or route.project_id != project_id:
            raise NoWayOut("The number to call from is not the project's any more.")
        trunk = await self.find(route.connection_id)
        if trunk is None:
            raise NoWayOut("The carrier of the number to call from has no termination.")
        return trunk

    async def agent_of_number(self, number: E164) -> uuid.UUID | None:
        """Return which agent answers a number; None when none does, and for others' numbers."""
        route = await self._routes.get_route(number)
        return None if route is None else route.agent_id

    async def find_placed(self, room_name: str) -> PlacedCall | None:
        """Return the outbound call that is placed in this room, or None."""
        return await self._store.find_placed(room_name)
