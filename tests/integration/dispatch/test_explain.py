"""A number is explained by what is really there; the first failure is the sentence."""

import uuid
from dataclasses import dataclass, replace

import pytest

from dispatch.accounts import Principal
from dispatch.agent_profile import AgentDraft, AgentProfile
from dispatch.agents import Agents
from dispatch.balances import Balances
from dispatch.errors import NotFound
from dispatch.explain import Explain, Explanation
from dispatch.models.choices import AgentModels
from dispatch.phone_numbers import PhoneNumbers
from dispatch.provisioning import Provisioning
from dispatch.routes import Routes
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.redis_client import RedisClient, connect_redis
from dispatch.workers import WorkerPresence
from stack.ports import free_port
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import settings as dispatch_settings
from tests.fakes.livekit_sip import FakeTrunks
from tests.seeds.numbers import did, seed_tenant

pytestmark = pytest.mark.integration

SETTINGS = dispatch_settings()


@dataclass
class Number:
    """A number that would be answered, and everything that makes it so."""

    principal: Principal
    agent: AgentProfile
    number_id: uuid.UUID
    database: Database
    redis: RedisClient
    livekit: FakeTrunks

    async def explain(self, settings: DispatchSettings = SETTINGS) -> Explanation:
        explain = Explain(self.database, self.redis, self.livekit, settings)
        return await explain.explain(self.principal, did(1))


@pytest.fixture
async def number(database: Database, redis: RedisClient) -> Number:
    tenant = await seed_tenant(database)
    principal = Principal(tenant.organization_id, tenant.project_id, uuid.uuid4(), "tests")
    routes = Routes(redis)
    draft = AgentDraft(name="Reception")
    agent = await Agents(database, routes).create(principal.actor, principal, draft)
    created = await PhoneNumbers(database, routes, LoopSignals(redis)).create(
        principal,
        provider="custom",
        number=did(1),
        agent_id=agent.agent_id,
        connection_id=await tenant.add_connection(),
    )
    livekit = FakeTrunks()
    await Provisioning(database, livekit, SETTINGS, KEYS).run_once()
    await Balances(redis).restore(tenant.organization_id, 1_000_000)
    await WorkerPresence(redis).report("w1", 1, 25)
    return Number(principal, agent, created.id, database, redis, livekit)


def failed(explanation: Explanation) -> list[str]:
    return [step.name for step in explanation.steps if not step.passed]


async def test_a_number_with_all_it_needs_would_be_answered(number: Number) -> None:
    explanation = await number.explain()

    assert explanation.would_be_answered
    assert explanation.sentence == "A call to this number would be answered."
    assert [step.name for step in explanation.steps] == [
        "number", "trunk", "rule", "route", "agent", "hours", "callers", "credit", "capacity",
        "workers",
    ]  # fmt: skip


async def test_anothers_number_is_not_there(number: Number) -> None:
    number.principal = replace(number.principal, project_id=uuid.uuid4())

    with pytest.raises(NotFound):
        await number.explain()


async def test_names_a_trunk_that_is_missing(number: Number) -> None:
    number.livekit.lose_everything()

    explanation = await number.explain()

    assert failed(explanation) == ["trunk", "rule"]
    assert explanation.sentence == "No trunk in LiveKit holds the number."


async def test_names_a_foreign_trunk_that_holds_it(number: Number) -> None:
    number.livekit.lose_everything()
    number.livekit.add_foreign_trunk("theirs", did(1).removeprefix("+"))
    await Provisioning(number.database, number.livekit, SETTINGS, KEYS).run_once()

    assert "theirs (ST_0003), which is not this" in (await number.explain()).sentence


async def test_names_a_second_trunk_that_holds_it_too(number: Number) -> None:
    number.livekit.add_foreign_trunk("theirs", did(1).removeprefix("+"))

    assert "Two trunks" in (await number.explain()).sentence


async def test_names_a_rule_that_is_missing_or_calls_other_workers(number: Number) -> None:
    (rule_id,) = number.livekit.rules
    number.livekit.edit_rule(rule_id, worker_name="others")
    assert "workers of another name" in (await number.explain()).sentence

    await number.livekit.delete_dispatch_rule(rule_id)
    assert failed(await number.explain()) == ["rule"]


async def test_says_that_livekit_does_not_answer(number: Number) -> None:
    number.livekit.fails_after = 0

    explanation = await number.explain()

    assert failed(explanation) == ["trunk", "rule"]
    assert explanation.sentence == "LiveKit did not answer: could not be reached."


async def test_names_a_number_without_an_agent(number: Number) -> None:
    numbers = PhoneNumbers(number.database, Routes(number.redis), LoopSignals(number.redis))
    await numbers.assign(number.principal, number.number_id, inbound_agent_id=None)

    explanation = await number.explain()

    assert failed(explanation) == ["route", "agent"]
    assert explanation.sentence == "The number has no agent assigned."


async def test_names_a_route_that_is_missing_or_old(number: Number) -> None:
    routes = Routes(number.redis)
    route = await routes.get_route(did(1))
    assert route
    await routes.publish_route(did(1), replace(route, agent_id=uuid.uuid4()))
    assert "an agent it had before" in (await number.explain()).sentence

    await routes.withdraw_route(did(1), route.revision)
    assert "not in Redis yet" in (await number.explain()).sentence


async def test_names_an_agent_that_cannot_speak(number: Number) -> None:
    silent = number.agent.model_copy(update={"is_active": False})
    await Routes(number.redis).publish_agent(silent)

    assert failed(await number.explain()) == ["agent"]


async def test_names_the_keys_that_an_agents_models_lack(number: Number) -> None:
    models = AgentModels.model_validate(
        {"stt": {"provider": "deepgram"}, "llm": {"provider": "openai"}}
    )
    await Routes(number.redis).publish_agent(number.agent.model_copy(update={"models": models}))

    explanation = await number.explain()

    assert failed(explanation) == ["agent"]
    assert explanation.sentence.endswith("Missing: deepgram, openai.")


async def test_names_a_balance_that_is_short_or_unknown(number: Number) -> None:
    dear = SETTINGS.model_copy(update={"sip_price_microcredits_per_minute": 1_000_001})
    assert "does not cover" in (await number.explain(dear)).sentence

    await number.redis.flushdb()
    assert "credit" in failed(await number.explain())


async def test_names_workers_that_are_busy_or_absent(number: Number) -> None:
    presence = WorkerPresence(number.redis)
    await presence.report("w1", 25, 25)
    assert "as many calls as it can" in (await number.explain()).sentence

    await presence.leave("w1")
    assert (await number.explain()).sentence == "No worker is running."


@pytest.mark.parametrize(
    "limit", ["max_calls", "max_calls_per_organization", "max_calls_per_number"]
)
async def test_names_the_limit_that_is_reached(number: Number, limit: str) -> None:
    full = SETTINGS.model_copy(update={limit: 0})

    assert failed(await number.explain(full)) == ["capacity"]


async def test_says_that_redis_does_not_answer(number: Number) -> None:
    number.redis = connect_redis(f"redis://127.0.0.1:{free_port()}")

    explanation = await number.explain()

    assert failed(explanation) == ["route", "agent", "credit", "capacity", "workers"]
    assert explanation.sentence == "Redis does not answer, so no call can be admitted."
    await number.redis.aclose()
