"""What is asked of LiveKit's rooms again, when it was not done at first."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import api
from pydantic import SecretStr

from telephony.adapters.livekit_client import LiveKitClient, translated_errors
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.settings import LiveKitSettings

pytestmark = pytest.mark.unit

SETTINGS = LiveKitSettings(
    livekit_url="ws://127.0.0.1:1",
    livekit_api_key="key",
    livekit_api_secret=SecretStr("a-secret-that-is-at-least-32-bytes-long"),
)


class RoomService:
    """A LiveKit that says it could not delete a room which is opened anew just then."""

    def __init__(self) -> None:
        self.sid = "RM_1"
        self.asked = 0

    async def list_rooms(self, _request: api.ListRoomsRequest) -> api.ListRoomsResponse:
        return api.ListRoomsResponse(rooms=[api.Room(name="room", sid=self.sid)])

    async def delete_room(self, _request: api.DeleteRoomRequest) -> None:
        self.asked += 1
        if self.asked == 1:
            self.sid = "RM_2"
            raise api.ServerError("unavailable", "no response from servers", status=503)


class Client(LiveKitClient):
    """A client of that LiveKit."""

    def __init__(self, service: RoomService) -> None:
        super().__init__(SETTINGS)
        self._service: Any = SimpleNamespace(room=service)

    async def once(
        self,
        operation: str,
        send: Callable[[api.LiveKitAPI], Awaitable[Any]],
        *,
        rings: bool = False,  # noqa: ARG002 - as the real one takes it
    ) -> Any:
        with translated_errors(operation):
            return await send(self._service)


@pytest.mark.parametrize(("room_sid", "asked"), [("RM_1", 1), ("", 2)])
async def test_a_deletion_is_repeated_only_while_the_room_is_the_one_that_was_meant(
    room_sid: str, asked: int
) -> None:
    service = RoomService()
    await LiveKitRooms(Client(service)).delete_room("room", room_sid=room_sid)
    assert service.asked == asked
