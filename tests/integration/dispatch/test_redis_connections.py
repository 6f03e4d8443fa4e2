"""Calls whose way to Redis is crowded, lost for a moment, or leads to a Redis that forgot."""

import asyncio
import os
import signal
import uuid
from pathlib import Path

import pytest
from redis.asyncio import Redis, SSLConnection

from dispatch.calls import Admitted, RefusalReason, Refused
from dispatch.errors import StoreUnavailable
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import connect_redis, translate_redis_errors
from stack.redis import running_redis
from tests.builders.live_calls import Tenant, live_calls, types_of

pytestmark = pytest.mark.integration


async def test_more_calls_at_once_than_connections_wait_their_turn(
    redis_url: str, tenant: Tenant
) -> None:
    client = connect_redis(redis_url, max_connections=2)
    calls = live_calls(client)
    answers = await asyncio.gather(*(calls.admit(tenant.arrival()) for _ in range(10)))
    await client.aclose()
    assert all(isinstance(answer, Admitted) for answer in answers)


async def test_whoever_waits_for_a_connection_gets_the_next_one_or_is_told_in_time(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect_redis(redis_url, max_connections=1)
    calls, pool = live_calls(client), client.connection_pool
    only = await pool.get_connection()  # type: ignore[no-untyped-call]
    waiting = asyncio.ensure_future(calls.find(uuid.uuid4()))
    await asyncio.sleep(0)
    await pool.release(only)
    assert await waiting is None
    only = await pool.get_connection()  # type: ignore[no-untyped-call]
    with monkeypatch.context() as impatient:
        impatient.setattr("dispatch.store.redis_client.TIMEOUT_S", 0.05)
        with pytest.raises(StoreUnavailable):
            await calls.find(uuid.uuid4())
    await pool.release(only)
    assert await calls.find(uuid.uuid4()) is None
    await client.aclose()


async def test_a_turn_sent_twice_after_a_lost_connection_is_recorded_once(
    redis: Redis, tenant: Tenant
) -> None:
    arrival = tenant.arrival()
    await live_calls(redis).admit(arrival)
    for _ in range(2):
        await LuaScripts(redis).run(
            "record", [], [str(arrival.call_id), "turn", "{}", "the same record"]
        )
    assert (await types_of(redis, arrival.call_id)).count("turn") == 1


async def test_scripts_run_after_redis_forgot_them(redis: Redis, tenant: Tenant) -> None:
    calls = live_calls(redis)
    await calls.admit(tenant.arrival())
    await redis.script_flush()
    assert isinstance(await calls.admit(tenant.arrival()), Admitted)


def test_an_encrypted_address_is_spoken_to_encrypted() -> None:
    pool = connect_redis("rediss://127.0.0.1:1/0").connection_pool
    assert issubclass(pool.connection_class, SSLConnection)


MORE_THAN_A_SOCKET_TAKES = "x" * 32_000_000


async def test_a_command_arrives_whole_that_no_socket_takes_at_once(redis: Redis) -> None:
    await redis.set("long", MORE_THAN_A_SOCKET_TAKES)
    assert await redis.strlen("long") == len(MORE_THAN_A_SOCKET_TAKES)


@pytest.mark.parametrize("value", ["x", MORE_THAN_A_SOCKET_TAKES], ids=["short", "long"])
async def test_a_redis_that_stands_still_is_given_up_and_used_again_once_it_goes_on(
    tmp_path: Path, value: str
) -> None:
    with running_redis(tmp_path) as url:
        client = connect_redis(url, max_connections=1)
        process_id = (await client.info("server"))["process_id"]
        only = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        only.socket_timeout = only.socket_connect_timeout = 0.2
        await client.connection_pool.release(only)

        os.kill(process_id, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable), translate_redis_errors():
                await client.set("key", value)
        finally:
            os.kill(process_id, signal.SIGCONT)

        only.socket_timeout = only.socket_connect_timeout = 30
        assert await client.strlen("another") == 0
        await client.aclose()


@pytest.mark.parametrize(
    ("refuse", "take"),
    [
        (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
        (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
        (
            ["CONFIG", "SET", "min-replicas-to-write", "1"],
            ["CONFIG", "SET", "min-replicas-to-write", "0"],
        ),
    ],
    ids=["full memory", "a replica", "too few replicas"],
)
async def test_a_redis_that_takes_no_writes_is_away_for_calls_and_for_all_else(
    tmp_path: Path, refuse: list[str], take: list[str]
) -> None:
    with running_redis(tmp_path) as url:
        client, tenant = connect_redis(url), Tenant()
        await tenant.publish(client, balance=1_000_000)
        calls, arrival = live_calls(client), tenant.arrival()
        await calls.admit(arrival)
        await client.execute_command(*refuse)
        # A call in progress goes on for as long as it is funded.
        with pytest.raises(StoreUnavailable):
            await calls.beat(arrival.call_id)
        refused = await calls.admit(tenant.arrival())
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.STORE_UNAVAILABLE
        with pytest.raises(StoreUnavailable), translate_redis_errors():
            await client.set("key", "value")
        await client.execute_command(*take)
        assert (await calls.beat(arrival.call_id)).known
        await client.aclose()


async def test_a_server_that_became_a_replica_is_left_for_what_its_address_leads_to_now(
    tmp_path: Path,
) -> None:
    with running_redis(tmp_path) as url:
        client, tenant = connect_redis(url, max_connections=1), Tenant()
        calls, arrival = live_calls(client), tenant.arrival()
        await tenant.publish(client, balance=1_000_000)
        await calls.admit(arrival)
        await client.execute_command("REPLICAOF", "127.0.0.1", "1")
        for refused in (client.set("key", "value"), calls.beat(arrival.call_id)):
            connection = await client.client_id()
            with pytest.raises(StoreUnavailable), translate_redis_errors():
                await refused
            assert await client.client_id() != connection
        await client.aclose()
