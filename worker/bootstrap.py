"""The composition root of a job: everything one call needs from outside, opened and closed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from dispatch.carrier_trunks import CarrierTrunks
from dispatch.commands import CommandQueue
from dispatch.live_calls import LiveCalls
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.envelope import KeyRing
from dispatch.settings import DispatchSettings
from dispatch.store.redis_client import connect_redis
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.runner import HttpToolRunner
from dispatch.voice_sessions import VoiceSessions
from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_dialler import LiveKitDialler
from telephony.adapters.livekit_hearing import LiveKitHearing
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.ports import Dialler, HearingControl, RoomControl
from telephony.settings import LiveKitSettings
from worker.knowledge import CallKnowledge
from worker.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What a job must know of its surroundings; the same for every job of a worker."""

    worker: WorkerSettings
    dispatch: DispatchSettings
    livekit: LiveKitSettings

    @classmethod
    def read(cls) -> Self:
        """Read the environment; takes 10 ms, so a process does it before it has a call.

        Raises:
            ValidationError: The environment lacks a setting or holds a wrong one.
        """
        return cls(WorkerSettings(), DispatchSettings(), LiveKitSettings())


@dataclass(frozen=True, slots=True)
class JobServices:
    """What a job talks to."""

    worker_settings: WorkerSettings
    dispatch_settings: DispatchSettings
    live_calls: LiveCalls
    commands: CommandQueue
    voice_sessions: VoiceSessions
    rooms: RoomControl
    hearing: HearingControl
    dialler: Dialler
    trunks: CarrierTrunks
    secrets: CallSecrets
    allowed_hosts: AllowedHosts
    """Hosts that tenants' models and tools may reach although they are not public."""
    sip_hosts: AllowedHosts
    """Hosts that tenants' calls may be sent to although they are not public."""
    tool_runner: HttpToolRunner
    knowledge: CallKnowledge


@asynccontextmanager
async def open_services(settings: JobSettings) -> AsyncIterator[JobServices]:
    """Open what one job needs; nothing is connected before it is first used."""
    redis = connect_redis(settings.dispatch.redis_url.get_secret_value(), max_connections=8)
    keys = KeyRing.parse(settings.dispatch.dialplane_secrets_keys.get_secret_value())
    allowed_hosts = AllowedHosts(settings.dispatch.dialplane_tool_allowed_hosts)
    tool_runner = HttpToolRunner(allowed_hosts)
    secrets = CallSecrets(redis, keys)
    knowledge = CallKnowledge(settings.dispatch, secrets, allowed_hosts)
    try:
        async with LiveKitClient(settings.livekit) as client:
            rooms = LiveKitRooms(client)
            yield JobServices(
                worker_settings=settings.worker,
                dispatch_settings=settings.dispatch,
                live_calls=LiveCalls(redis, settings.dispatch),
                commands=CommandQueue(redis, keys),
                voice_sessions=VoiceSessions(redis, rooms, settings.dispatch),
                rooms=rooms,
                hearing=LiveKitHearing(client),
                dialler=LiveKitDialler(client),
                trunks=CarrierTrunks(redis, settings.dispatch),
                secrets=secrets,
                allowed_hosts=allowed_hosts,
                sip_hosts=AllowedHosts(settings.dispatch.dialplane_sip_allowed_hosts),
                tool_runner=tool_runner,
                knowledge=knowledge,
            )
    finally:
        await knowledge.aclose()
        await tool_runner.aclose()
        await redis.aclose()
