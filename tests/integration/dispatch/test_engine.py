"""Transactions, and what happens when Postgres is not there."""

import asyncio
import socket
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import InternalError

from dispatch.errors import StoreUnavailable
from dispatch.store.engine import Database
from dispatch.store.migrate import upgrade_to_head
from dispatch.store.tables import OrganizationRow
from stack.ports import free_port
from stack.postgres import PostgresServer

pytestmark = pytest.mark.integration


async def count_organizations(database: Database) -> int:
    async with database.reading() as db:
        return (await db.execute(select(func.count()).select_from(OrganizationRow))).scalar_one()


def make_standby(server_dir: Path) -> None:
    """Let the Postgres of a directory begin as a standby: it answers and takes no writes."""
    [data] = [path.parent for path in server_dir.rglob("global") if path.is_dir()]
    (data / "standby.signal").touch()


async def test_a_transaction_is_committed_when_its_block_ends(database: Database) -> None:
    async with database.transaction() as db:
        db.add(OrganizationRow(name="Acme"))
    assert await count_organizations(database) == 1


async def test_a_transaction_whose_block_fails_changes_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as db:
            db.add(OrganizationRow(name="Acme"))
            await db.flush()
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await count_organizations(database) == 0


async def test_postgres_refuses_to_write_while_reading(database: Database) -> None:
    with pytest.raises(InternalError, match="read-only"):
        async with database.reading() as db:
            await db.execute(insert(OrganizationRow).values(name="Acme"))


async def test_a_postgres_that_became_a_standby_is_left_for_the_one_that_took_over(
    server_dir: Path,
) -> None:
    with PostgresServer(server_dir, durable=False) as server:
        upgrade_to_head(server.url)
        server.stop()
        make_standby(server_dir)
        server.start()
        database = Database(server.url, pool_size=1)

        async def write() -> None:
            async with database.transaction() as db:
                db.add(OrganizationRow(name="Acme"))

        async def backend() -> int:
            async with database.reading() as db:
                return (await db.execute(select(func.pg_backend_pid()))).scalar_one()

        with pytest.raises(StoreUnavailable):
            await write()
        before = await backend()
        # It says something else to a connection that has been reading.
        with pytest.raises(StoreUnavailable):
            await write()
        assert await backend() != before
        with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as other:
            other.execute("SELECT pg_promote()")
        await write()
        assert await count_organizations(database) == 1
        await database.aclose()


async def test_reads_of_one_block_see_the_same_moment(database: Database) -> None:
    async with database.reading() as db:
        query = select(func.count()).select_from(OrganizationRow)
        before = (await db.execute(query)).scalar_one()
        async with database.transaction() as other:
            other.add(OrganizationRow(name="Acme"))
        assert (await db.execute(query)).scalar_one() == before


async def test_a_postgres_that_is_not_there_is_said_so_quickly() -> None:
    database = Database(f"postgresql+psycopg://nobody:x@127.0.0.1:{free_port()}/none")
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        async with database.reading() as db:
            await db.execute(text("SELECT 1"))
    assert time.monotonic() - started < 30
    await database.aclose()


async def test_a_restarted_postgres_is_found_again(server_dir) -> None:
    with PostgresServer(server_dir, durable=False) as server:
        database = Database(server.url)
        async with database.reading() as db:
            await db.execute(text("SELECT 1"))
        server.stop()
        with pytest.raises(StoreUnavailable):
            async with database.transaction() as db:
                await db.execute(text("SELECT 1"))
        server.start()
        async with database.transaction() as db:
            assert (await db.execute(text("SELECT 1"))).scalar_one() == 1
        await database.aclose()


async def test_a_postgres_that_dies_during_a_transaction_is_unavailable(server_dir) -> None:
    with PostgresServer(server_dir, durable=False) as server:
        database = Database(server.url)

        async def kill_halfway() -> None:
            async with database.transaction() as db:
                await db.execute(text("SELECT 1"))
                server.kill()
                await db.execute(text("SELECT 1"))

        with pytest.raises(StoreUnavailable):
            await kill_halfway()
        await database.aclose()


async def test_a_machine_that_vanished_is_given_up_within_half_a_minute(
    database: Database,
) -> None:
    async with database.reading() as db:
        raw = await (await db.connection()).get_raw_connection()
        connection = raw.driver_connection
        assert isinstance(connection, psycopg.AsyncConnection)
        with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as lent:

            def tcp(option: int) -> int:
                return lent.getsockopt(socket.IPPROTO_TCP, option)

            silent_s = tcp(socket.TCP_KEEPIDLE) + tcp(socket.TCP_KEEPINTVL) * tcp(
                socket.TCP_KEEPCNT
            )
            assert lent.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert silent_s <= 30
            assert 0 < tcp(socket.TCP_USER_TIMEOUT) <= 30_000


async def test_a_glance_outlasts_a_lost_connection(database: Database):
    mine = select(func.pg_backend_pid())
    ((before,),) = await database.glance(mine)
    async with database.transaction() as db:
        await db.execute(select(func.pg_terminate_backend(before)))
    ((after,),) = await database.glance(mine)
    assert after != before


async def test_a_burst_waits_for_the_connections_that_are_there_and_leaves_them_open(
    clean_postgres: str,
):
    small = Database(clean_postgres, pool_size=2)
    mine = select(func.pg_backend_pid(), func.pg_sleep(0.01))

    async def burst() -> set[int]:
        answers = await asyncio.gather(*(small.glance(mine) for _ in range(12)))
        return {rows[0][0] for rows in answers}

    first = await burst()
    assert len(first) == 2
    assert await burst() == first
    await small.aclose()


async def test_a_glance_says_when_postgres_is_away():
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable):
        await nowhere.glance(select(func.now()))
    await nowhere.aclose()


async def test_work_that_was_cut_off_in_a_query_spoils_no_later_one(postgres_url: str):
    database = Database(postgres_url, pool_size=1)
    for cut_after_s in (0.0, 0.001, 0.002, 0.004, 0.008, 0.05):
        working = asyncio.create_task(sleep_in_postgres(database))
        await asyncio.sleep(cut_after_s)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        assert await count_organizations(database) >= 0
    await database.aclose()


@pytest.mark.parametrize("at", range(1, 13))
async def test_work_that_is_cut_off_while_others_run_ends_as_cancelled_and_spoils_no_later_one(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, at: int
):
    let_others_run = 0

    async def cancelled_here(delay: float) -> None:
        nonlocal let_others_run
        let_others_run += 1
        if let_others_run == at:
            working.cancel()
        await asyncio.sleep(delay)

    # psycopg lets others run when it was busy for so long: here, wherever it could.
    monkeypatch.setattr(psycopg.waiting, "MAX_BUSY_TIME", 0)
    monkeypatch.setattr(psycopg.waiting, "sleep", cancelled_here)
    database = Database(postgres_url, pool_size=1)
    working = asyncio.create_task(write_many_rows(database))
    await asyncio.wait([working])
    assert working.cancelled()
    assert await count_organizations(database) >= 0
    await database.aclose()


async def write_many_rows(database: Database) -> None:
    async with database.transaction() as db:
        await db.execute(text("CREATE TEMPORARY TABLE rows (at int) ON COMMIT DROP"))
        while True:
            rows = [{"at": at} for at in range(10)]
            await db.execute(text("INSERT INTO rows VALUES (:at)"), rows)


async def sleep_in_postgres(database: Database) -> None:
    async with database.transaction() as db:
        for _ in range(100):
            await db.execute(select(func.pg_sleep(0.001)))
