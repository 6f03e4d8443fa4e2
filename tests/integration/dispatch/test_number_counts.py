"""How many numbers a project has is kept, not counted; and it is exact whatever happens to them."""

import asyncio
import uuid

import psycopg
import pytest

from dispatch.accounts import Principal
from dispatch.paging import Order, PageRequest
from dispatch.store.engine import Database
from dispatch.store.repositories import phone_numbers

pytestmark = pytest.mark.integration

_INSERT = """
    WITH carrier AS (
        INSERT INTO carrier_connections
            (id, organization_id, project_id, name, provider, allowed_addresses)
        SELECT gen_random_uuid(), organization_id, id, 'C', 'twilio', '{192.0.2.0/24}'
        FROM projects WHERE id = %(project)s
        RETURNING id, organization_id, project_id
    )
    INSERT INTO phone_numbers (id, organization_id, project_id, connection_id, did)
    SELECT gen_random_uuid(), organization_id, project_id, id, %(prefix)s || lpad(n::text, 4, '0')
    FROM carrier, generate_series(1, %(count)s) n
"""


async def totals(database: Database, *principals: Principal) -> list[int]:
    """Return how many numbers the lists of these projects say there are."""
    async with database.reading() as db:
        pages = [
            await phone_numbers.list_numbers(db, each.project_id, PageRequest(), None)
            for each in principals
        ]
    return [page.total for page in pages]


async def test_every_change_of_a_number_is_counted(
    database: Database, clean_postgres: str, owner: Principal, stranger: Principal
) -> None:
    assert await totals(database, owner, stranger) == [0, 0]
    url = clean_postgres.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as sql:
        await sql.execute(_INSERT, {"project": owner.project_id, "prefix": "+8830", "count": 250})
        await sql.execute(_INSERT, {"project": stranger.project_id, "prefix": "+8831", "count": 3})
        assert await totals(database, owner, stranger) == [250, 3]
        await sql.execute("UPDATE phone_numbers SET deleted_at = now() WHERE did LIKE '%1'")
        assert await totals(database, owner, stranger) == [225, 2]
        await sql.execute("UPDATE phone_numbers SET deleted_at = now(), sync_state = 'active'")
        await sql.execute("UPDATE phone_numbers SET deleted_at = NULL WHERE did LIKE '+8830%'")
        assert await totals(database, owner, stranger) == [250, 0]
        moved = "UPDATE phone_numbers SET project_id = %s WHERE did LIKE '+883000%%'"
        await sql.execute(moved, [stranger.project_id])
        assert await totals(database, owner, stranger) == [151, 99]
        await sql.execute("DELETE FROM phone_numbers WHERE did LIKE '+88300_0_'")
        assert await totals(database, owner, stranger) == [131, 90]


async def test_changes_at_once_are_all_counted(
    database: Database, clean_postgres: str, owner: Principal
) -> None:
    url = clean_postgres.replace("+psycopg", "")

    async def add_and_take_away(prefix: str) -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as sql:
            given = {"project": owner.project_id, "prefix": prefix, "count": 10}
            await sql.execute(_INSERT, given)
            await sql.execute(
                "UPDATE phone_numbers SET deleted_at = now() WHERE did LIKE %s", [f"{prefix}%1_"]
            )

    await asyncio.gather(*(add_and_take_away(f"+883{n}") for n in range(8)))
    assert await totals(database, owner) == [8 * 9]


async def test_a_change_that_is_taken_back_is_not_counted(
    database: Database, clean_postgres: str, owner: Principal
) -> None:
    url = clean_postgres.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url) as sql:
        await sql.execute(_INSERT, {"project": owner.project_id, "prefix": "+8830", "count": 5})
        await sql.rollback()
    assert await totals(database, owner) == [0]


@pytest.mark.parametrize(
    "order", [None, Order("created_at"), Order("number"), Order("number", descending=True)]
)
async def test_pages_of_numbers_made_in_one_moment_show_each_once(
    database: Database, clean_postgres: str, owner: Principal, order: Order | None
) -> None:
    url = clean_postgres.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as sql:
        await sql.execute(_INSERT, {"project": owner.project_id, "prefix": "+8830", "count": 25})
    shown: list[uuid.UUID] = []
    async with database.reading() as db:
        for page in (1, 2, 3):
            asked = PageRequest(page, 10)
            found = await phone_numbers.list_numbers(db, owner.project_id, asked, None, order)
            assert found.total == 25
            shown += [number.id for number in found.items]
    assert len(shown) == len(set(shown)) == 25
