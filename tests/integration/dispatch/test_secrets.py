"""Secrets: kept so that nobody can read them, and read where calls are answered."""

import asyncio
import base64
import os
import sys
import uuid

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from dispatch.accounts import Principal
from dispatch.errors import InvalidField, NotFound, SecretUnreadable
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.envelope import KEY_BYTES, KeyRing
from dispatch.secrets.passwords import open_password
from dispatch.secrets.rotation import Rotation
from dispatch.secrets.vault import Secrets
from dispatch.store import redis_keys
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories.provisioning import list_wanted
from tests.builders.installation_keys import KEYS, KEYS_TEXT
from tests.integration.dispatch.conftest import UseCases

pytestmark = pytest.mark.integration

VALUE = "sk-0123456789abcdef-abcd"
NEW = KeyRing({"new": b"n" * KEY_BYTES, "tests": bytes(KEY_BYTES)})
"""The tests' key after another one was put before it."""
ONLY_NEW = KeyRing({"new": b"n" * KEY_BYTES})


@pytest.fixture
def secrets(database: Database, redis: RedisClient) -> Secrets:
    return Secrets(database, CallSecrets(redis, KEYS), KEYS)


@pytest.fixture
def unpublished(database: Database, dead_redis: RedisClient) -> Secrets:
    """Secrets of a process whose Redis is down."""
    return Secrets(database, CallSecrets(dead_redis, KEYS), KEYS)


async def put(secrets: Secrets, owner: Principal, provider: str = "openai", value: str = VALUE):
    return await secrets.put(owner.actor, owner.project_id, provider, {"api_key": value})


async def test_a_call_reads_what_was_put(secrets: Secrets, owner: Principal) -> None:
    await put(secrets, owner)

    assert await secrets.for_call(owner.project_id, "openai") == {"api_key": VALUE}
    assert await secrets.for_call(owner.project_id, "deepgram") == {}


async def test_putting_again_replaces_all_values(secrets: Secrets, owner: Principal) -> None:
    await secrets.put(owner.actor, owner.project_id, "crm", {"user": "first", "password": "one"})
    await secrets.put(owner.actor, owner.project_id, "crm", {"password": "two"})

    assert await secrets.for_call(owner.project_id, "crm") == {"password": "two"}


async def test_a_list_shows_hardly_anything(secrets: Secrets, owner: Principal) -> None:
    await put(secrets, owner)
    await secrets.put(owner.actor, owner.project_id, "crm", {"pin": "1234"})

    listed = await secrets.masked(owner.project_id)

    assert [(secret.provider, secret.values) for secret in listed] == [
        ("crm", {"pin": "…"}),
        ("openai", {"api_key": "sk-…abcd"}),
    ]


async def test_a_deleted_secret_is_gone_everywhere(
    secrets: Secrets, owner: Principal, database: Database
) -> None:
    await put(secrets, owner)
    await secrets.delete(owner.actor, owner.project_id, "openai")

    assert await secrets.for_call(owner.project_id, "openai") == {}
    async with database.reading() as db:
        assert (await db.execute(text("SELECT count(*) FROM secrets"))).scalar_one() == 0
    with pytest.raises(NotFound):
        await secrets.delete(owner.actor, owner.project_id, "openai")


async def test_neither_postgres_nor_redis_holds_the_value(
    secrets: Secrets, owner: Principal, database: Database, redis: RedisClient
) -> None:
    await put(secrets, owner)

    async with database.reading() as db:
        sealed = (await db.execute(text("SELECT sealed FROM secrets"))).scalar_one()
        audit = (await db.execute(text("SELECT string_agg(t::text, '') FROM audit_log t"))).scalar()
    copy = await redis.get(redis_keys.secrets(owner.project_id))
    assert VALUE.encode() not in bytes(sealed)
    assert VALUE not in copy
    assert VALUE not in audit


async def test_reading_in_clear_is_written_down(
    secrets: Secrets, owner: Principal, database: Database
) -> None:
    await put(secrets, owner)

    assert await secrets.reveal(owner.actor, owner.project_id, "openai") == {"api_key": VALUE}

    async with database.reading() as db:
        rows = await db.execute(
            text(
                "SELECT action, actor_id, target_id FROM audit_log WHERE action LIKE 'secret.%'"
                " ORDER BY position"
            )
        )
        assert [tuple(row) for row in rows] == [
            ("secret.put", str(owner.key_id), "openai"),
            ("secret.revealed", str(owner.key_id), "openai"),
        ]


async def test_another_project_has_none_of_it(
    secrets: Secrets, owner: Principal, stranger: Principal
) -> None:
    await put(secrets, owner)

    assert await secrets.for_call(stranger.project_id, "openai") == {}
    assert await secrets.masked(stranger.project_id) == ()
    with pytest.raises(NotFound):
        await secrets.reveal(stranger.actor, stranger.project_id, "openai")


@pytest.mark.parametrize("table", ["secrets", "data_keys"])
async def test_a_row_that_was_moved_to_another_project_does_not_open(
    secrets: Secrets, owner: Principal, stranger: Principal, database: Database, table: str
) -> None:
    await put(secrets, owner, value="of-the-owner")
    await put(secrets, stranger, value="of-the-stranger")
    copied = {"secrets": "sealed = o.sealed", "data_keys": "wrapped = o.wrapped"}[table]
    async with database.transaction() as db:
        await db.execute(
            text(
                f"UPDATE {table} t SET {copied} FROM {table} o"
                " WHERE t.project_id = :to AND o.project_id = :of"
            ),
            {"to": stranger.project_id, "of": owner.project_id},
        )

    with pytest.raises(SecretUnreadable):
        await secrets.reveal(stranger.actor, stranger.project_id, "openai")


async def test_what_redis_did_not_take_is_published_by_the_projection(
    unpublished: Secrets, secrets: Secrets, use_cases: UseCases, owner: Principal
) -> None:
    await use_cases.projection.run_once()
    await put(unpublished, owner)
    assert await secrets.for_call(owner.project_id, "openai") == {}

    await use_cases.projection.run_once()

    assert await secrets.for_call(owner.project_id, "openai") == {"api_key": VALUE}


async def test_a_redis_that_lost_everything_gets_the_secrets_back(
    secrets: Secrets, use_cases: UseCases, owner: Principal, redis: RedisClient
) -> None:
    await put(secrets, owner)
    await use_cases.projection.run_once()
    await redis.flushdb()

    await use_cases.projection.run_once()

    assert await secrets.for_call(owner.project_id, "openai") == {"api_key": VALUE}


@pytest.mark.parametrize(
    ("provider", "values", "field"),
    [
        ("Open AI", {"api_key": "x"}, "provider"),
        ("", {"api_key": "x"}, "provider"),
        ("openai", {}, "values"),
        ("openai", {"API KEY": "x"}, "values"),
        ("openai", {"api_key": ""}, "values.api_key"),
        ("openai", {"api_key": "x" * 8_193}, "values.api_key"),
        ("openai", {"api_key": "a\0b"}, "values.api_key"),
        ("openai", {f"key_{n}": "x" for n in range(21)}, "values"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_name(
    secrets: Secrets, owner: Principal, provider: str, values: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        await secrets.put(owner.actor, owner.project_id, provider, values)
    assert refused.value.field == field


class TestRotation:
    async def test_everything_opens_with_the_new_key_alone_afterwards(
        self,
        secrets: Secrets,
        owner: Principal,
        stranger: Principal,
        database: Database,
        redis: RedisClient,
    ) -> None:
        await put(secrets, owner)
        await put(secrets, stranger, "deepgram", "another")

        done = await Rotation(database, CallSecrets(redis, NEW), Routes(redis), NEW).run()

        assert (done.renewed, done.unreadable, done.in_use) == (2, [], {"new": 2})
        rotated = Secrets(database, CallSecrets(redis, ONLY_NEW), ONLY_NEW)
        assert await rotated.for_call(owner.project_id, "openai") == {"api_key": VALUE}
        assert await rotated.for_call(stranger.project_id, "deepgram") == {"api_key": "another"}
        assert await rotated.reveal(owner.actor, owner.project_id, "openai") == {"api_key": VALUE}

    async def test_the_carriers_password_opens_with_the_new_key(
        self, database: Database, redis: RedisClient, use_cases: UseCases, owner: Principal
    ) -> None:
        connection = await use_cases.connections.create(
            owner, name="C", provider="twilio", auth_username="u", auth_password=SecretStr("pw")
        )
        await use_cases.numbers.create(
            owner, provider="twilio", number="+12015550101", connection_id=connection.id
        )

        await Rotation(database, CallSecrets(redis, NEW), Routes(redis), NEW).run()

        async with database.reading() as db:
            [wanted], _ = await list_wanted(db)
        assert wanted.password is not None
        assert open_password(ONLY_NEW, wanted.password).get_secret_value() == "pw"

    async def test_calls_and_changes_go_on_meanwhile(
        self, secrets: Secrets, owner: Principal, database: Database, redis: RedisClient
    ) -> None:
        await put(secrets, owner)
        calls = CallSecrets(redis, NEW)
        changing = Secrets(database, calls, NEW)
        rotation = asyncio.create_task(Rotation(database, calls, Routes(redis), NEW).run())
        reads = 0
        while not rotation.done() or not reads:
            await changing.put(owner.actor, owner.project_id, "crm", {"key": f"{reads}"})
            assert await calls.for_call(owner.project_id, "openai") == {"api_key": VALUE}
            assert await changing.reveal(owner.actor, owner.project_id, "crm") == {
                "key": f"{reads}"
            }
            reads += 1

        assert (await rotation).in_use == {"new": 1}
        assert len(await Secrets(database, calls, ONLY_NEW).masked(owner.project_id)) == 2

    async def test_a_second_run_finds_nothing_to_do(
        self, secrets: Secrets, owner: Principal, database: Database, redis: RedisClient
    ) -> None:
        await put(secrets, owner)
        rotation = Rotation(database, CallSecrets(redis, NEW), Routes(redis), NEW)
        await rotation.run()

        assert (await rotation.run()).renewed == 0

    async def test_a_call_reads_on_with_both_keys_while_redis_has_the_old_copy(
        self,
        secrets: Secrets,
        owner: Principal,
        database: Database,
        redis: RedisClient,
        dead_redis: RedisClient,
    ) -> None:
        await put(secrets, owner)

        done = await Rotation(database, CallSecrets(dead_redis, NEW), Routes(dead_redis), NEW).run()

        assert (done.renewed, done.unpublished) == (1, 1)
        calls = CallSecrets(redis, NEW)
        assert await calls.for_call(owner.project_id, "openai") == {"api_key": VALUE}

    async def test_a_project_whose_key_is_missing_stays_as_it_is_and_is_told_of(
        self, secrets: Secrets, owner: Principal, database: Database, redis: RedisClient
    ) -> None:
        await put(secrets, owner)

        done = await Rotation(database, CallSecrets(redis, ONLY_NEW), Routes(redis), ONLY_NEW).run()

        assert (done.renewed, done.unreadable) == (0, [owner.project_id])
        assert "cannot be read" in done.sentence
        assert await secrets.reveal(owner.actor, owner.project_id, "openai") == {"api_key": VALUE}


async def test_an_unknown_project_keeps_no_secret(secrets: Secrets, owner: Principal) -> None:
    with pytest.raises(NotFound):
        await secrets.put(owner.actor, uuid.uuid4(), "openai", {"api_key": "x"})


async def test_the_command_rotates_and_says_what_it_did(
    secrets: Secrets, owner: Principal, redis: RedisClient, clean_postgres: str, redis_url: str
) -> None:
    await put(secrets, owner)
    new = base64.b64encode(b"n" * KEY_BYTES).decode()
    command = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "dispatch",
        "rotate-secrets",
        env={
            **os.environ,
            "DATABASE_URL": clean_postgres,
            "REDIS_URL": redis_url,
            "DIALPLANE_KEY_PEPPER": "pepper",
            "DIALPLANE_SECRETS_KEYS": f"new:{new},{KEYS_TEXT}",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await command.communicate()

    assert command.returncode == 0
    assert said.decode() == ("New data keys: 1. Projects by installation key: new 1.\n")
    rotated = CallSecrets(redis, ONLY_NEW)
    assert await rotated.for_call(owner.project_id, "openai") == {"api_key": VALUE}
