"""Whatever order copies reach Redis in, calls follow the last commit and not the last writer."""

import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from dispatch.accounts import Principal
from dispatch.agent_profile import AgentDraft, AgentProfile
from dispatch.number_behaviours import NumberBehaviours
from dispatch.numbers import PhoneNumber
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.envelope import KEY_BYTES, KeyRing
from dispatch.secrets.rotation import Rotation
from dispatch.secrets.vault import Secrets
from dispatch.store import redis_keys
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories import revisions
from dispatch.store.tables import PhoneNumberRow
from dispatch.terminations import TerminationDraft, Terminations
from dispatch.tool_definition import ToolDraft
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.catalogue import Tools
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import settings
from tests.integration.dispatch.conftest import UseCases, UseCasesOver

pytestmark = pytest.mark.integration

NUMBER = "+12015550100"
OTHER_NUMBER = "+12015550101"
NEWER_KEYS = KeyRing({"newer": b"n" * KEY_BYTES, "tests": bytes(KEY_BYTES)})

Change = Callable[[], Awaitable[object]]


class SlowRedis:
    """Redis as a slow process has it: once, a change happens before what it writes arrives."""

    def __init__(self, redis: RedisClient, key: str, change: Change) -> None:
        self._redis = redis
        self._key = key
        self._change: Change | None = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._redis, name)

    async def evalsha(self, digest: str, count: int, *arguments: Any) -> Any:
        if self._change is not None and arguments[0] == self._key:
            change, self._change = self._change, None
            await change()
        return await self._redis.evalsha(digest, count, *arguments)

    @property
    def was_overtaken(self) -> bool:
        return self._change is None


Overtaken = Callable[[str, Change], tuple[SlowRedis, UseCases]]


class HeldRedis:
    """Redis to which copies are on their way until a test delivers them."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self.held: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._redis, name)

    async def evalsha(self, *arguments: Any) -> Any:
        if any(str(each).startswith(redis_keys.revision("")) for each in arguments):
            self.held.append(arguments)
            return None
        return await self._redis.evalsha(*arguments)


@pytest.fixture
def overtaken(use_cases_over: UseCasesOver, database: Database, redis: RedisClient) -> Overtaken:
    """Build use cases whose write of a key is overtaken by a change."""

    def build(key: str, change: Change) -> tuple[SlowRedis, UseCases]:
        way = SlowRedis(redis, key, change)
        return way, use_cases_over(database, cast("RedisClient", way))

    return build


@pytest.fixture
async def answered(use_cases: UseCases, owner: Principal) -> tuple[PhoneNumber, AgentProfile]:
    """A number, and the agent that answers it."""
    agent = await new_agent(use_cases, owner, "Reception")
    number = await use_cases.numbers.create(
        owner, provider="custom", number=NUMBER, agent_id=agent.agent_id
    )
    return number, agent


async def new_agent(
    use_cases: UseCases, owner: Principal, name: str, *tool_ids: uuid.UUID
) -> AgentProfile:
    draft = AgentDraft(name=name, tool_ids=tool_ids)
    return await use_cases.agents.create(owner.actor, owner, draft)


async def agent_on(use_cases: UseCases, number: PhoneNumber) -> uuid.UUID | None:
    """Return which agent calls to a number reach."""
    route = await use_cases.routes.get_route(number.number)
    assert route is not None
    return route.agent_id


@pytest.mark.parametrize("slow", ["projection", "use case"])
async def test_a_number_assigned_meanwhile_stays_with_its_new_agent(
    use_cases: UseCases,
    overtaken: Overtaken,
    owner: Principal,
    answered: tuple[PhoneNumber, AgentProfile],
    slow: str,
) -> None:
    number, first = answered
    second = await new_agent(use_cases, owner, "Second")

    async def assign() -> None:
        await use_cases.numbers.assign(owner, number.id, inbound_agent_id=second.agent_id)
        assert await agent_on(use_cases, number) == second.agent_id

    way, late = overtaken(redis_keys.route(NUMBER), assign)
    if slow == "projection":
        await late.projection.run_once()
    else:
        await late.numbers.assign(owner, number.id, inbound_agent_id=first.agent_id)

    assert way.was_overtaken
    assert await agent_on(use_cases, number) == second.agent_id


async def test_a_number_deleted_meanwhile_stays_unknown(
    use_cases: UseCases,
    overtaken: Overtaken,
    owner: Principal,
    answered: tuple[PhoneNumber, AgentProfile],
) -> None:
    number, _ = answered
    way, late = overtaken(redis_keys.route(NUMBER), lambda: use_cases.numbers.delete(owner, NUMBER))
    await late.projection.run_once()

    assert way.was_overtaken
    assert await use_cases.routes.get_route(number.number) is None


async def test_a_number_created_anew_is_not_withdrawn_with_the_one_before(
    use_cases: UseCases,
    overtaken: Overtaken,
    owner: Principal,
    stranger: Principal,
    answered: tuple[PhoneNumber, AgentProfile],
) -> None:
    number, _ = answered
    theirs = await new_agent(use_cases, stranger, "Theirs")
    way, late = overtaken(
        redis_keys.route(NUMBER),
        lambda: use_cases.numbers.create(
            stranger, provider="custom", number=NUMBER, agent_id=theirs.agent_id
        ),
    )
    await late.numbers.delete(owner, NUMBER)

    assert way.was_overtaken
    assert await agent_on(use_cases, number) == theirs.agent_id


async def test_an_agent_deleted_meanwhile_stays_unknown(
    use_cases: UseCases,
    overtaken: Overtaken,
    owner: Principal,
    answered: tuple[PhoneNumber, AgentProfile],
) -> None:
    _, agent = answered
    way, late = overtaken(
        redis_keys.agent(agent.agent_id),
        lambda: use_cases.agents.delete(owner.actor, owner, agent.agent_id),
    )
    await late.agents.update(owner.actor, owner, agent.agent_id, {"name": "Desk"})

    assert way.was_overtaken
    assert await use_cases.routes.get_agent(agent.agent_id) is None


@pytest.fixture
async def deleted_while_inserted(clean_postgres: str) -> AsyncIterator[None]:
    """Have a number deleted by others while the same number is inserted.

    It happens after the insert drew a revision and before it looked whether the number is there.
    """
    url = clean_postgres.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as sql:
        await sql.execute(
            """
            CREATE FUNCTION delete_the_one_before() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                UPDATE phone_numbers SET deleted_at = now(), updated_at = now()
                WHERE did = NEW.did AND deleted_at IS NULL;
                RETURN NEW;
            END $$;
            CREATE TRIGGER delete_the_one_before BEFORE INSERT ON phone_numbers
            FOR EACH ROW EXECUTE FUNCTION delete_the_one_before()
            """
        )
        yield
        await sql.execute("DROP FUNCTION delete_the_one_before CASCADE")


@pytest.mark.usefixtures("deleted_while_inserted")
async def test_a_number_that_waited_for_its_deletion_is_later_than_that(
    use_cases: UseCases, database: Database, owner: Principal
) -> None:
    gone = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
    there = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
    async with database.reading() as db:
        row = await db.get_one(PhoneNumberRow, gone.id)

    assert row.deleted_at is not None
    assert there.revision > row.revision


async def test_a_record_that_lost_commits_is_followed_back(
    use_cases: UseCases,
    database: Database,
    owner: Principal,
    answered: tuple[PhoneNumber, AgentProfile],
) -> None:
    number, first = answered
    second = await new_agent(use_cases, owner, "Second")
    await use_cases.projection.run_once()
    lost = await use_cases.numbers.assign(owner, number.id, inbound_agent_id=second.agent_id)
    async with database.transaction() as db:
        # As a replica has it that heard of the agent last.
        await revisions.continue_after(db, second.revision)
        await db.execute(
            text("UPDATE phone_numbers SET inbound_agent_id = :first, revision = :revision"),
            {"first": first.agent_id, "revision": number.revision},
        )
    run = await use_cases.projection.run_once()

    assert run.full
    assert await agent_on(use_cases, number) == first.agent_id
    again = await use_cases.numbers.assign(owner, number.id, inbound_agent_id=second.agent_id)
    assert again.revision > lost.revision
    assert await agent_on(use_cases, number) == second.agent_id
    assert not (await use_cases.projection.run_once()).full


async def published(redis: RedisClient) -> dict[str, Any]:
    """Return every copy, by its key."""
    copies: dict[str, Any] = {}
    for kind in ("agent", "route", "secrets", "trunk"):
        for key in map(str, await redis.keys(f"dp:{kind}:*")):
            copies[key] = await (redis.hgetall(key) if kind == "agent" else redis.get(key))
    return copies


async def change_everything(
    use_cases: UseCases, database: Database, redis: RedisClient, owner: Principal
) -> None:
    """Change all that is published in every way, the projection running after each few changes."""
    actor, project_id = owner.actor, owner.project_id
    agents, numbers, run = use_cases.agents, use_cases.numbers, use_cases.projection.run_once
    secrets = Secrets(database, CallSecrets(redis, KEYS), KEYS)
    tools = Tools(database, use_cases.routes, AllowedHosts())
    behaviours = NumberBehaviours(database, use_cases.routes, settings())
    terminations = Terminations(database, use_cases.routes, KEYS)
    ways_out = [
        await use_cases.connections.create(
            owner, name="Trunk", provider="carrier", allowed_addresses=["192.0.2.0/24"]
        )
        for _ in range(2)
    ]
    wanted = ToolDraft.model_validate({"name": "look_up", "http": {"url": "https://a.example/"}})
    tool = await tools.create(actor, project_id, wanted, uuid.uuid4())
    first, second = [await new_agent(use_cases, owner, name, tool.tool_id) for name in ("A", "B")]
    number, other = [
        await numbers.create(
            owner,
            provider="carrier",
            number=did,
            agent_id=first.agent_id,
            connection_id=ways_out[0].id,
        )
        for did in (NUMBER, OTHER_NUMBER)
    ]
    for each in ways_out:
        account = TerminationDraft("sip.example.com", "us", SecretStr("hunter2-hunter2"))
        await terminations.set(owner, each.id, account)
    await secrets.put(actor, project_id, "openai", {"api_key": "one"})
    await run()
    await numbers.assign(owner, number.id, inbound_agent_id=second.agent_id)
    await numbers.move(owner, number.id, ways_out[1].id)
    await behaviours.change(owner, number.number, {"fallback_number": "+12015550155"})
    await agents.update(actor, owner, second.agent_id, {"name": "Front desk"})
    await tools.update(actor, project_id, tool.tool_id, {"description": "Looks an order up."})
    await secrets.put(actor, project_id, "openai", {"api_key": "two"})
    await terminations.set(owner, ways_out[0].id, TerminationDraft("sip.example.net", "us"))
    await run()
    await numbers.delete(owner, NUMBER)
    await run()
    await numbers.create(
        owner,
        provider="carrier",
        number=NUMBER,
        agent_id=second.agent_id,
        connection_id=ways_out[0].id,
    )
    await numbers.delete(owner, other.number)
    await tools.delete(actor, project_id, tool.tool_id)
    await secrets.delete(actor, project_id, "openai")
    await use_cases.connections.delete(owner, ways_out[1].id)
    await run()
    await agents.delete(actor, owner, second.agent_id)
    await secrets.put(actor, project_id, "deepgram", {"api_key": "three"})
    await Rotation(database, CallSecrets(redis, NEWER_KEYS), use_cases.routes, NEWER_KEYS).run()
    await run()


@pytest.fixture
async def under_way(
    use_cases_over: UseCasesOver, database: Database, redis: RedisClient, owner: Principal
) -> list[tuple[Any, ...]]:
    """Every copy that all those changes sent to Redis, none of which has arrived."""
    way = cast("RedisClient", held := HeldRedis(redis))
    await change_everything(use_cases_over(database, way), database, way, owner)
    return held.held


async def test_in_whatever_order_copies_arrive_the_last_commit_stays(
    use_cases: UseCases, redis: RedisClient, under_way: list[tuple[Any, ...]]
) -> None:
    await use_cases.projection.run_once()
    on_record = await published(redis)
    assert sorted(key.split(":")[1] for key in on_record) == ["agent", "route", "secrets", "trunk"]

    for seed in range(100):
        await redis.flushdb()
        async with redis.pipeline(transaction=False) as pipe:
            for arguments in random.Random(seed).sample(under_way, k=len(under_way)):
                pipe.evalsha(*arguments)
            await pipe.execute()
        assert await published(redis) == on_record, f"seed {seed}"


async def test_no_two_copies_of_one_revision_differ(under_way: list[tuple[Any, ...]]) -> None:
    seen: dict[tuple[str, int], tuple[Any, ...]] = {}
    for script, _, key, _, revision, _, *copy in under_way:
        assert seen.setdefault((key, revision), (script, *copy)) == (script, *copy)
    assert len(under_way) > len(seen) > 20
