"""Workers and agents of a real livekit-server that do nothing, for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from livekit import api, rtc
from livekit.protocol import agent

from telephony.settings import LiveKitSettings


class JobWorker:
    """A registered worker; its jobs never join their rooms.

    Source: livekit/protocol livekit_agent.proto, WorkerMessage and ServerMessage.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.registered = asyncio.Event()
        self.took_a_job = asyncio.Event()
        self.room_sids: list[str] = []
        """As the jobs tell them that were taken."""
        self.tokens: dict[str, str] = {}
        """With which the jobs that were taken may join their rooms, by their metadata."""

    async def register(self, name: str) -> None:
        """Ask for the jobs of this name."""
        await self._send(
            agent.WorkerMessage(
                register=agent.RegisterWorkerRequest(
                    type=agent.JT_ROOM,
                    agent_name=name,
                    allowed_permissions={"can_publish": True, "can_subscribe": True},
                )
            )
        )

    async def take_jobs(self) -> None:
        """Say yes to every job until the connection ends."""
        async for frame in self._socket:
            message = agent.ServerMessage.FromString(frame.data)
            match message.WhichOneof("message"):
                case "register":
                    self.registered.set()
                case "availability":
                    job_id = message.availability.job.id
                    answer = agent.AvailabilityResponse(
                        job_id=job_id, available=True, participant_identity=f"agent-{job_id}"
                    )
                    await self._send(agent.WorkerMessage(availability=answer))
                case "assignment":
                    job = message.assignment.job
                    self.room_sids.append(job.room.sid)
                    self.tokens[job.metadata] = message.assignment.token
                    self.took_a_job.set()

    async def _send(self, message: agent.WorkerMessage) -> None:
        await self._socket.send_bytes(message.SerializeToString())


@asynccontextmanager
async def registered_worker(settings: LiveKitSettings, name: str) -> AsyncIterator[JobWorker]:
    """Run a worker for the length of the block; it vanishes as a killed one does."""
    token = access_token(settings).with_grants(api.VideoGrants(agent=True)).to_jwt()
    url = settings.livekit_url.rstrip("/") + "/agent?protocol=1"
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=headers) as socket,
        asyncio.TaskGroup() as tasks,
    ):
        worker = JobWorker(socket)
        await worker.register(name)
        taking = tasks.create_task(worker.take_jobs())
        await asyncio.wait_for(worker.registered.wait(), 30)
        yield worker
        taking.cancel()


@asynccontextmanager
async def agent_in_room(settings: LiveKitSettings, room_name: str) -> AsyncIterator[None]:
    """Have an agent in the room for the length of the block."""
    grants = api.VideoGrants(room_join=True, room=room_name, agent=True)
    token = access_token(settings).with_identity("agent-1").with_kind("agent").with_grants(grants)
    async with joined(settings, token.to_jwt()):
        yield


@asynccontextmanager
async def joined(settings: LiveKitSettings, token: str) -> AsyncIterator[None]:
    """Be in a token's room for the length of the block."""
    room = rtc.Room()
    await room.connect(settings.livekit_url, token)
    try:
        yield
    finally:
        await room.disconnect()


def access_token(settings: LiveKitSettings) -> api.AccessToken:
    """Return an access token that allows nothing yet."""
    return api.AccessToken(settings.livekit_api_key, settings.livekit_api_secret.get_secret_value())
