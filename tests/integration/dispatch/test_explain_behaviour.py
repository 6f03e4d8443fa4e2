"""What a number's behaviour would make of a call, explained for a clock that stands still."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch.accounts import Principal
from dispatch.agent_profile import AgentDraft
from dispatch.explain import Explain, Explanation
from dispatch.number_behaviours import NumberBehaviours
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from tests.builders.live_calls import settings
from tests.fakes.livekit_sip import FakeTrunks
from tests.integration.dispatch.conftest import UseCases
from tests.seeds.numbers import did

pytestmark = pytest.mark.integration

SATURDAY = datetime(2026, 11, 21, 12, tzinfo=UTC)
FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOURS = {
    "time_zone": "Europe/Berlin",
    "weekly": [{"days": ["monday", "friday"], "opens": "09:00", "closes": "17:00"}],
}
SETTINGS: DispatchSettings = settings()


@pytest.fixture
async def number(use_cases: UseCases, owner: Principal) -> Principal:
    """The owner, with a number that has an agent."""
    agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    await use_cases.numbers.create(owner, provider="custom", number=did(1), agent_id=agent.agent_id)
    return owner


async def explained(
    database: Database, redis: RedisClient, owner: Principal, at: datetime
) -> Explanation:
    explain = Explain(database, redis, FakeTrunks(), SETTINGS, lambda: at)
    return await explain.explain(owner, did(1))


async def behave(database: Database, use_cases: UseCases, owner: Principal, **fields: Any) -> None:
    behaviours = NumberBehaviours(database, use_cases.routes, SETTINGS)
    await behaviours.change(owner, did(1), fields)


def step(explanation: Explanation, name: str) -> tuple[bool, str]:
    found = next(each for each in explanation.steps if each.name == name)
    return found.passed, found.sentence


@pytest.mark.parametrize(
    ("after_hours", "passed", "what_happens"),
    [
        (None, False, "calls are not answered"),
        ({"action": "message", "text": "Closed."}, True, "callers hear a message"),
        ({"action": "transfer", "to": "+12015550177"}, True, "calls are passed on"),
    ],
)
async def test_says_until_when_it_is_closed_and_what_happens_then(
    database: Database,
    redis: RedisClient,
    use_cases: UseCases,
    number: Principal,
    after_hours: dict[str, str] | None,
    *,
    passed: bool,
    what_happens: str,
) -> None:
    await behave(database, use_cases, number, opening_hours=HOURS, after_hours=after_hours)

    explanation = await explained(database, redis, number, SATURDAY)

    assert step(explanation, "hours") == (
        passed,
        f"It is closed until Monday 2026-11-23 09:00 (Europe/Berlin): {what_happens}.",
    )


async def test_says_that_it_is_open(
    database: Database, redis: RedisClient, use_cases: UseCases, number: Principal
) -> None:
    await behave(database, use_cases, number, opening_hours=HOURS)

    explanation = await explained(database, redis, number, FRIDAY)

    assert step(explanation, "hours") == (True, "It is open now, Friday 13:00 in Europe/Berlin.")
    assert step(explanation, "agent") == (True, "The agent Reception answers.")


async def test_judges_the_agent_that_talks_after_hours(
    database: Database, redis: RedisClient, use_cases: UseCases, number: Principal
) -> None:
    night = await use_cases.agents.create(number.actor, number, AgentDraft(name="Night desk"))
    after = {"action": "agent", "agent_id": night.agent_id}
    await behave(database, use_cases, number, opening_hours=HOURS, after_hours=after)
    assert step(await explained(database, redis, number, SATURDAY), "agent") == (
        True,
        "The agent Night desk answers.",
    )

    await use_cases.agents.delete(number.actor, number, night.agent_id)

    assert step(await explained(database, redis, number, SATURDAY), "agent")[0] is False


async def test_says_that_the_fallback_gets_what_no_agent_takes(
    database: Database, redis: RedisClient, use_cases: UseCases, number: Principal
) -> None:
    await behave(database, use_cases, number, fallback_number="+12015550177")
    found = await use_cases.routes.get_route(did(1))
    assert found is not None
    await use_cases.numbers.assign(number, found.number_id, inbound_agent_id=None)

    explanation = await explained(database, redis, number, FRIDAY)

    for name in ("route", "agent"):
        assert step(explanation, name) == (
            True,
            "The number has no agent assigned. Calls are passed on to the fallback number.",
        )


async def test_names_a_behaviour_that_redis_does_not_have_yet(
    database: Database,
    redis: RedisClient,
    use_cases: UseCases,
    cut_off: UseCases,
    number: Principal,
) -> None:
    await behave(database, cut_off, number, blocked_callers=["anonymous"])
    explanation = await explained(database, redis, number, FRIDAY)
    assert step(explanation, "route") == (
        False,
        "The number's route has a behaviour it had before.",
    )

    await use_cases.projection.run_once()

    assert step(await explained(database, redis, number, FRIDAY), "route")[0] is True
