"""Loops on real stores: one process at a time, woken at once, and a process that ends in order."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dispatch.errors import StoreUnavailable
from dispatch.store import redis_keys
from dispatch.store.loop_lock import LoopLock
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.redis_client import RedisClient, connect_redis
from stack.ports import free_port
from stack.postgres import PostgresServer
from tests.builders.installation_keys import KEYS_TEXT
from tests.integration.dispatch.test_engine import make_standby

pytestmark = pytest.mark.integration


class TestLock:
    async def test_one_of_two_holds_it(self, postgres_url: str) -> None:
        async with LoopLock(postgres_url, "a") as first, LoopLock(postgres_url, "a") as second:
            assert await first.hold()
            assert not await second.hold()
            assert await first.hold()

    async def test_two_names_are_two_locks(self, postgres_url: str) -> None:
        async with LoopLock(postgres_url, "a") as first, LoopLock(postgres_url, "b") as second:
            assert await first.hold()
            assert await second.hold()

    async def test_another_takes_over_when_the_holder_is_gone(self, postgres_url: str) -> None:
        async with LoopLock(postgres_url, "a") as second:
            async with LoopLock(postgres_url, "a") as first:
                assert await first.hold()
                assert not await second.hold()

            # Postgres frees it as soon as it notices that the connection was closed.
            async with asyncio.timeout(30):
                while not await second.hold():
                    await asyncio.sleep(0.01)

    async def test_notices_that_it_was_lost_and_takes_it_again(self, postgres_url: str) -> None:
        async with LoopLock(postgres_url, "a") as lock:
            assert await lock.hold()
            with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity "
                    "WHERE application_name = 'dialplane dispatch lock'"
                )

            with pytest.raises(StoreUnavailable):
                await lock.hold()
            assert await lock.hold()

    async def test_a_standby_gives_none_until_it_took_over(self, server_dir: Path) -> None:
        with PostgresServer(server_dir, durable=False) as server:
            server.stop()
            make_standby(server_dir)
            server.start()
            async with LoopLock(server.url, "a") as lock:
                with pytest.raises(StoreUnavailable):
                    await lock.hold()
                with psycopg.connect(server.url.replace("+psycopg", "")) as other:
                    other.execute("SELECT pg_promote()")
                assert await lock.hold()
                assert await lock.hold()

    async def test_says_when_postgres_is_not_there(self) -> None:
        url = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none"

        async with LoopLock(url, "a") as lock:
            with pytest.raises(StoreUnavailable):
                await lock.hold()


class TestSignals:
    async def test_a_wake_ends_the_pause_at_once(self, redis: RedisClient) -> None:
        signals = LoopSignals(redis)
        pause = asyncio.create_task(signals.wait("drain", 60))

        await signals.wake("drain")

        await asyncio.wait_for(pause, 30)

    async def test_many_wakes_are_one(self, redis: RedisClient) -> None:
        signals = LoopSignals(redis)
        for _ in range(5):
            await signals.wake("drain")

        assert await redis.llen(redis_keys.wake("drain")) == 1

    async def test_a_pause_nobody_ends_ends_by_itself(self, redis: RedisClient) -> None:
        started = time.perf_counter()

        await LoopSignals(redis).wait("drain", 0.05)

        assert time.perf_counter() - started >= 0.05

    async def test_finds_the_beat_it_was_given(self, redis: RedisClient) -> None:
        signals = LoopSignals(redis)
        assert await signals.find_beat("drain") is None

        await signals.beat("drain", ok=False, detail="Postgres did not answer.")

        beat = await signals.find_beat("drain")
        assert beat
        assert (beat.ok, beat.detail) == (False, "Postgres did not answer.")
        assert 0 < await redis.ttl(redis_keys.dispatch_beat("drain")) <= 30

    async def test_says_when_redis_is_not_there(self) -> None:
        nowhere = connect_redis(f"redis://127.0.0.1:{free_port()}")
        signals = LoopSignals(nowhere)

        for request in (
            signals.beat("drain", ok=True, detail=""),
            signals.find_beat("drain"),
            signals.wake("drain"),
            signals.wait("drain", 1),
        ):
            with pytest.raises(StoreUnavailable):
                await request
        await nowhere.aclose()


@pytest.fixture
def process(
    clean_postgres: str, redis_url: str, redis: RedisClient
) -> Iterator["subprocess.Popen[str]"]:
    """`python -m dispatch` with both stores, empty before it starts, and without a LiveKit."""
    environment = os.environ | {
        "DATABASE_URL": clean_postgres,
        "REDIS_URL": redis_url,
        "LIVEKIT_URL": f"ws://127.0.0.1:{free_port()}",
        "LIVEKIT_API_KEY": "key",
        "LIVEKIT_API_SECRET": "a-secret-that-is-at-least-32-bytes-long",
        "DIALPLANE_KEY_PEPPER": "pepper",
        "DIALPLANE_SECRETS_KEYS": KEYS_TEXT,
        "LOG_FORMAT": "json",
    }
    started = subprocess.Popen(
        [sys.executable, "-m", "dispatch"], env=environment, stderr=subprocess.PIPE, text=True
    )
    yield started
    started.kill()
    started.communicate()


async def test_the_process_runs_every_loop_and_stops_when_told(
    process: "subprocess.Popen[str]", redis: RedisClient
) -> None:
    signals = LoopSignals(redis)
    loops = (
        "convergence",
        "drain",
        "reaper",
        "unanswered",
        "projection",
        "reconciliation",
        "reservations",
        "embeddings",
        "chats",
        "knowledge",
    )
    seen: dict[str, bool] = {}
    # A slow machine takes half a minute for the imports alone.
    async with asyncio.timeout(120):
        while set(seen) != set(loops):
            await asyncio.sleep(0.02)
            beats = [await signals.find_beat(loop) for loop in loops]
            seen = {beat.loop: beat.ok for beat in beats if beat}
    assert (seen["convergence"], seen["drain"], seen["projection"]) == (False, True, True)

    process.send_signal(signal.SIGTERM)

    _, log = await asyncio.to_thread(process.communicate, timeout=120)
    assert process.returncode == 0
    assert "dispatch has stopped" in log
    assert "Traceback" not in log
