"""Webhooks: what LiveKit signs is read, and nothing else is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_events import LiveKitRoomEvents
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.errors import InvalidWebhook
from telephony.ports import RoomSpec
from tests.fakes.livekit_events import (
    SignedWebhook,
    room_event,
    sign_webhook,
    sip_participant_event,
)
from tests.fakes.livekit_rooms import API_KEY, API_SECRET
from tests.servers.livekit_server import KEYS, LiveKitServer


async def posted_by_livekit(server: LiveKitServer) -> SignedWebhook:
    """Return the webhook that the real server posts when a room is created."""
    async with caught_webhooks(server.webhook_port) as webhooks:
        async with LiveKitClient(server.settings) as client:
            rooms = LiveKitRooms(client)
            await rooms.create_room(RoomSpec("vs_hook", worker_name=None))
            await rooms.delete_room("vs_hook")
        while True:
            webhook = await asyncio.wait_for(webhooks.get(), 30)
            if b"room_finished" in webhook.body and b"vs_hook" in webhook.body:
                return webhook


@asynccontextmanager
async def caught_webhooks(port: int) -> AsyncIterator["asyncio.Queue[SignedWebhook]"]:
    caught: asyncio.Queue[SignedWebhook] = asyncio.Queue()

    async def catch(request: web.Request) -> web.Response:
        caught.put_nowait(SignedWebhook(await request.read(), request.headers["Authorization"]))
        return web.Response()

    app = web.Application()
    app.router.add_post("/webhooks/livekit", catch)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield caught
    finally:
        await runner.cleanup()


async def test_reads_a_room_that_finished(request: pytest.FixtureRequest, edge: str) -> None:
    if edge == "real":
        webhook = await posted_by_livekit(request.getfixturevalue("livekit_server"))
        events = LiveKitRoomEvents(KEYS.key, KEYS.secret)
    else:
        webhook = sign_webhook(room_event("room_finished", "vs_hook"))
        events = LiveKitRoomEvents(API_KEY, API_SECRET)

    event = events.receive(webhook.body, webhook.authorization)

    assert (event.type, event.room_name, event.participant) == ("room_finished", "vs_hook", None)
    assert event.event_id.startswith("EV_")
    assert event.room_sid.startswith("RM_")
    assert abs(datetime.now(UTC) - event.at) < timedelta(minutes=1)


@pytest.mark.unit
class TestSignatures:
    events = LiveKitRoomEvents(API_KEY, API_SECRET)

    def test_reads_a_callers_leg(self) -> None:
        joined = sip_participant_event(
            "participant_joined", "call_+12015550100_x", attributes={"sip.callID": "SCL_1"}
        )
        webhook = sign_webhook(joined)

        event = self.events.receive(webhook.body, webhook.authorization)

        assert event.participant
        assert event.participant.kind == "sip"
        assert event.participant.attributes == {"sip.callID": "SCL_1"}
        assert event.participant.disconnect_reason == ""

    @pytest.mark.parametrize(
        "webhook",
        [
            sign_webhook(room_event("room_started", "r"), secret="x" * 32),
            sign_webhook(room_event("room_started", "r"), api_key="somebody"),
            SignedWebhook(b"{}", sign_webhook(room_event("room_started", "r")).authorization),
            SignedWebhook(b"\xff\xfe", sign_webhook(room_event("room_started", "r")).authorization),
            SignedWebhook(sign_webhook(room_event("room_started", "r")).body, ""),
            SignedWebhook(b"", "Bearer nonsense"),
        ],
        ids=["wrong secret", "wrong key", "other body", "no text", "no signature", "nonsense"],
    )
    def test_trusts_nothing_whose_signature_does_not_fit(self, webhook: SignedWebhook) -> None:
        with pytest.raises(InvalidWebhook):
            self.events.receive(webhook.body, webhook.authorization)
