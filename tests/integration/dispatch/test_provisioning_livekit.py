"""The write path on a real LiveKit: quick when it is there, patient when it is not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from dispatch.loops import Loop, run_loops
from dispatch.provisioning import Provisioning
from dispatch.store.engine import Database
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.redis_client import RedisClient
from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_sip import LiveKitTrunks
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import settings as dispatch_settings
from tests.seeds.numbers import Tenant, did, seed_tenant
from tests.servers.livekit_server import LiveKitServer, running_livekit

pytestmark = pytest.mark.integration

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitServer]:
    with running_livekit(tmp_path_factory.mktemp("livekit")) as server:
        yield server


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await seed_tenant(database)


@dataclass
class Converging:
    """A convergence loop that runs beside the test, and what LiveKit holds."""

    signals: LoopSignals
    trunks: LiveKitTrunks


@pytest.fixture
async def converging(
    livekit: LiveKitServer, database: Database, redis: RedisClient
) -> AsyncIterator[Converging]:
    livekit.lose_everything()
    async with (
        LiveKitClient(livekit.settings) as client,
        running_loop(client, database, redis) as signals,
    ):
        # With its first run behind it, a run is only what a test wakes it for.
        await until_beat(signals, ok=True)
        yield Converging(signals, LiveKitTrunks(client))


@asynccontextmanager
async def running_loop(
    client: LiveKitClient, database: Database, redis: RedisClient
) -> AsyncIterator[LoopSignals]:
    settings = dispatch_settings()
    provisioning = Provisioning(database, LiveKitTrunks(client), settings, KEYS)
    signals = LoopSignals(redis)
    # Long enough that whatever happens in time was not the interval's doing.
    loop = Loop("convergence", provisioning.run_once, timedelta(minutes=5))
    stopping = asyncio.Event()
    running = asyncio.create_task(run_loops([loop], signals, stopping))
    yield signals
    stopping.set()
    await running


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():
            await asyncio.sleep(0.005)


async def until_active(tenant: Tenant) -> None:
    async def all_active() -> bool:
        return {state for state, _ in (await tenant.states()).values()} == {"active"}

    await until(all_active)


async def until_beat(signals: LoopSignals, *, ok: bool) -> str:
    async def beats() -> bool:
        beat = await signals.find_beat("convergence")
        return beat is not None and beat.ok is ok

    await until(beats)
    beat = await signals.find_beat("convergence")
    assert beat
    return beat.detail


async def test_a_number_is_active_by_the_wake_long_before_the_next_interval(
    tenant: Tenant, converging: Converging
) -> None:
    await tenant.add_numbers(await tenant.add_connection(), did(1))

    await converging.signals.wake("convergence")

    await until_active(tenant)
    (trunk,) = await converging.trunks.list_inbound_trunks()
    (rule,) = await converging.trunks.list_dispatch_rules()
    assert trunk.numbers == {did(1)}
    assert rule.trunk_ids == {trunk.livekit_trunk_id}


async def test_one_pass_rebuilds_all_after_livekits_redis_lost_everything(
    tenant: Tenant, converging: Converging, livekit: LiveKitServer
) -> None:
    for n in range(3):
        await tenant.add_numbers(await tenant.add_connection(f"c{n}"), did(n), did(10 + n))
    await converging.signals.wake("convergence")
    await until_active(tenant)
    before = {trunk.trunk for trunk in await converging.trunks.list_inbound_trunks()}
    assert len(before) == 3

    livekit.lose_everything()
    assert await converging.trunks.list_inbound_trunks() == []
    await converging.signals.wake("convergence")

    async def rebuilt() -> bool:
        trunks = await converging.trunks.list_inbound_trunks()
        rules = await converging.trunks.list_dispatch_rules()
        return {trunk.trunk for trunk in trunks} == before and {
            trunk_id for rule in rules for trunk_id in rule.trunk_ids
        } == {trunk.livekit_trunk_id for trunk in trunks}

    await until(rebuilt)


async def test_says_that_livekit_is_away_and_goes_on_when_it_is_back(
    tenant: Tenant, converging: Converging, livekit: LiveKitServer
) -> None:
    connection_id = await tenant.add_connection()
    await tenant.add_numbers(connection_id, did(1))
    await converging.signals.wake("convergence")
    await until_active(tenant)

    livekit.stop()
    await tenant.add_numbers(connection_id, did(2))
    await converging.signals.wake("convergence")
    detail = await until_beat(converging.signals, ok=False)
    assert "could not be reached (since 20" in detail
    assert await tenant.states() == {did(1): ("active", None), did(2): ("pending", None)}

    livekit.start()
    await until_active(tenant)
    await until_beat(converging.signals, ok=True)
    (trunk,) = await converging.trunks.list_inbound_trunks()
    assert trunk.numbers == {did(1), did(2)}
