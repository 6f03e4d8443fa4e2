"""What a number's behaviour makes of a call at admission, on a real Redis and a clock we set."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from dispatch.attendant import attendant_of
from dispatch.balances import Balances
from dispatch.calls import Admitted, CallEnd, RefusalReason, Refused
from dispatch.live_calls import LiveCalls
from dispatch.models.choices import AgentModels
from dispatch.number_behaviour import Action, Ground, NumberBehaviour
from dispatch.routes import Routes
from dispatch.store import redis_keys
from dispatch.transfer_policy import TransferMode
from telephony.calls import CallState, EndedBy, EndReason
from tests.builders.live_calls import Tenant, events_of, live_calls, settings, types_of

pytestmark = pytest.mark.integration

OPEN_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLOSED_AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOURS = {
    "time_zone": "Europe/Berlin",
    "weekly": [{"days": ["friday"], "opens": "09:00", "closes": "17:00"}],
}
MESSAGE = {"action": "message", "text": "We are closed."}
FALLBACK = "+12015550177"


class Clock:
    """A clock that stands where a test sets it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock(OPEN_AT)


@pytest.fixture
def calls(redis: Redis, clock: Clock) -> LiveCalls:
    return LiveCalls(redis, settings(), clock)


async def behave(redis: Redis, tenant: Tenant, *, agent: bool = True, **fields: Any) -> None:
    """Publish the number's route with a behaviour."""
    route = tenant.route(tenant.agent_id if agent else None)
    behaviour = NumberBehaviour.model_validate(fields)
    await Routes(redis).publish_route(tenant.did, replace(route, behaviour=behaviour))


async def test_a_number_is_open_and_closed_by_the_clock(
    redis: Redis, tenant: Tenant, calls: LiveCalls, clock: Clock
) -> None:
    await behave(redis, tenant, opening_hours=HOURS)

    taken = await calls.admit(tenant.arrival())
    clock.at = OPEN_AT + timedelta(hours=4)
    late = await calls.admit(tenant.arrival())
    clock.at = OPEN_AT + timedelta(days=7)
    next_week = await calls.admit(tenant.arrival())

    assert isinstance(taken, Admitted)
    assert isinstance(late, Refused)
    assert late.reason is RefusalReason.CLOSED
    assert isinstance(next_week, Admitted)


async def test_a_refusal_says_on_record_by_what_time_it_was_closed_and_costs_nothing(
    redis: Redis, tenant: Tenant, calls: LiveCalls, clock: Clock
) -> None:
    await behave(redis, tenant, opening_hours=HOURS)
    clock.at = CLOSED_AT
    arrival = tenant.arrival()

    await calls.admit(arrival)

    refused = (await events_of(redis, arrival.call_id))[-1]
    assert refused["reason"] == "closed"
    assert refused["project_id"] == str(tenant.project_id)
    behaviour = refused["behaviour"]
    assert isinstance(behaviour, dict)
    assert behaviour["at"] == "2026-11-21T13:00:00+01:00"
    assert await types_of(redis, arrival.call_id) == ["call.ringing", "call.refused"]
    assert await Balances(redis).get(tenant.organization_id) == 1_000_000


@pytest.mark.parametrize(
    ("lists", "reason"),
    [
        ({"blocked_callers": ["+1201*"]}, RefusalReason.CALLER_BLOCKED),
        ({"allowed_callers": ["+4930123456"]}, RefusalReason.CALLER_NOT_ALLOWED),
    ],
)
async def test_a_caller_on_the_wrong_list_is_refused_with_a_reason_of_its_own(
    redis: Redis,
    tenant: Tenant,
    calls: LiveCalls,
    lists: dict[str, list[str]],
    reason: RefusalReason,
) -> None:
    await behave(redis, tenant, fallback_number=FALLBACK, **lists)

    assert await calls.admit(arrival := tenant.arrival()) == Refused(arrival.call_id, reason)


async def test_after_hours_another_agent_talks_with_its_own_profile(
    redis: Redis, tenant: Tenant, calls: LiveCalls, clock: Clock
) -> None:
    other = tenant.agent(agent_id=uuid.uuid4(), name="Night desk", version=7)
    await Routes(redis).publish_agent(other)
    after = {"action": "agent", "agent_id": other.agent_id}
    await behave(redis, tenant, opening_hours=HOURS, after_hours=after)
    clock.at = CLOSED_AT
    arrival = tenant.arrival()

    taken = await calls.admit(arrival)

    assert isinstance(taken, Admitted)
    assert taken.agent.name == "Night desk"
    admitted = (await events_of(redis, arrival.call_id))[1]
    assert (admitted["agent_id"], admitted["agent_version"]) == (str(other.agent_id), 7)
    assert admitted["behaviour"]["ground"] == "after_hours"  # type: ignore[index]


async def test_an_agent_of_another_project_never_answers_after_hours(
    redis: Redis, tenant: Tenant, calls: LiveCalls, clock: Clock
) -> None:
    theirs = Tenant().agent()
    await Routes(redis).publish_agent(theirs)
    after = {"action": "agent", "agent_id": theirs.agent_id}
    await behave(redis, tenant, opening_hours=HOURS, after_hours=after)
    clock.at = CLOSED_AT

    answer = await calls.admit(tenant.arrival())

    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.AGENT_UNAVAILABLE


async def test_a_message_is_said_in_the_agents_voice_by_an_agent_that_can_do_nothing_else(
    redis: Redis, tenant: Tenant, calls: LiveCalls, clock: Clock
) -> None:
    models = AgentModels.model_validate({"tts": {"params": {"words_per_minute": 120}}})
    await Routes(redis).publish_agent(tenant.agent(models=models))
    await behave(redis, tenant, opening_hours=HOURS, after_hours=MESSAGE)
    clock.at = CLOSED_AT

    taken = await calls.admit(tenant.arrival())

    assert isinstance(taken, Admitted)
    assert taken.plan is not None
    assert (taken.plan.action, taken.plan.message) == (Action.MESSAGE, "We are closed.")
    assert taken.agent.models == models
    assert (taken.agent.greeting, taken.agent.tools_allowed) == ("", ())
    assert taken.agent == attendant_of(taken.agent, taken.plan)


async def test_a_message_needs_no_agent(
    redis: Redis, tenant: Tenant, calls: LiveCalls, clock: Clock
) -> None:
    await behave(redis, tenant, agent=False, opening_hours=HOURS, after_hours=MESSAGE)
    clock.at = CLOSED_AT
    arrival = tenant.arrival()

    taken = await calls.admit(arrival)

    assert isinstance(taken, Admitted)
    assert taken.agent.models == AgentModels()
    assert (await events_of(redis, arrival.call_id))[1]["agent_version"] is None


async def test_after_hours_the_only_target_is_the_one_the_number_names(
    redis: Redis, tenant: Tenant, calls: LiveCalls, clock: Clock
) -> None:
    agent = tenant.agent(transfer={"targets": ["sip:a@b.example"], "allow": ["+*"]})
    await Routes(redis).publish_agent(agent)
    after = {"action": "transfer", "to": FALLBACK, "text": "One moment."}
    await behave(redis, tenant, opening_hours=HOURS, after_hours=after)
    clock.at = CLOSED_AT

    taken = await calls.admit(tenant.arrival())

    assert isinstance(taken, Admitted)
    assert taken.plan is not None
    assert (taken.plan.transfer_to, taken.plan.message) == (FALLBACK, "One moment.")
    assert taken.agent.transfer.patterns == (FALLBACK,)
    assert taken.agent.transfer.mode is TransferMode.COLD
    assert taken.agent.transfer.carrier_transfers


@pytest.mark.parametrize("unfit", ["number_unassigned", "agent_unavailable", "no_key"])
async def test_the_fallback_gets_a_call_that_no_agent_can_take(
    redis: Redis, tenant: Tenant, calls: LiveCalls, unfit: str
) -> None:
    models = AgentModels.model_validate({"llm": {"provider": "openai"}})
    changes: dict[str, Any] = {
        "number_unassigned": {},
        "agent_unavailable": {"is_active": False},
        "no_key": {"models": models},
    }[unfit]
    await Routes(redis).publish_agent(tenant.agent(**changes))
    await behave(redis, tenant, agent=unfit != "number_unassigned", fallback_number=FALLBACK)
    arrival = tenant.arrival()

    taken = await calls.admit(arrival)

    assert isinstance(taken, Admitted)
    assert taken.plan is not None
    assert (taken.plan.ground, taken.plan.transfer_to) == (Ground.FALLBACK, FALLBACK)
    assert not taken.agent.transfer.carrier_transfers
    admitted = (await events_of(redis, arrival.call_id))[1]
    assert admitted["agent_refused"] == unfit.replace("no_key", "provider_not_configured")


async def test_the_fallback_is_not_dialled_on_credit_that_is_not_there(
    redis: Redis, tenant: Tenant, calls: LiveCalls
) -> None:
    await redis.set(redis_keys.balance(tenant.organization_id), 10)
    await behave(redis, tenant, agent=False, fallback_number=FALLBACK)

    answer = await calls.admit(tenant.arrival())

    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.INSUFFICIENT_CREDITS


async def test_asked_again_the_answer_is_the_same_even_if_it_closed_meanwhile(
    redis: Redis, tenant: Tenant, calls: LiveCalls, clock: Clock
) -> None:
    await behave(redis, tenant, opening_hours=HOURS, after_hours=MESSAGE)
    clock.at = CLOSED_AT
    arrival = tenant.arrival()
    first = await calls.admit(arrival, "AJ_1")
    clock.at = OPEN_AT
    await behave(redis, tenant)

    again = await calls.admit(arrival, "AJ_1")
    other = await calls.admit(arrival, "AJ_2")

    assert again == first
    assert isinstance(other, Refused)
    assert other.reason is RefusalReason.ALREADY_TAKEN


async def test_a_call_that_was_refused_stays_refused(
    redis: Redis, tenant: Tenant, calls: LiveCalls, clock: Clock
) -> None:
    await behave(redis, tenant, opening_hours=HOURS)
    clock.at = CLOSED_AT
    arrival = tenant.arrival()
    first = await calls.admit(arrival)
    clock.at = OPEN_AT

    assert await calls.admit(arrival) == first
    assert (await types_of(redis, arrival.call_id)).count("call.refused") == 1


async def test_a_change_is_live_for_the_next_call(
    redis: Redis, tenant: Tenant, calls: LiveCalls
) -> None:
    await behave(redis, tenant, blocked_callers=["+*"])
    assert isinstance(await calls.admit(tenant.arrival()), Refused)

    await behave(redis, tenant, blocked_callers=["anonymous"])

    assert isinstance(await calls.admit(tenant.arrival()), Admitted)


async def test_a_number_without_a_behaviour_is_admitted_in_one_round_trip(
    redis: Redis, tenant: Tenant
) -> None:
    calls, asked = live_calls(redis), 0
    run = calls._store._run

    async def counted(*args: Any) -> Any:
        nonlocal asked
        asked += 1
        return await run(*args)

    calls._store._run = counted  # type: ignore[method-assign]
    taken = await calls.admit(tenant.arrival())

    assert isinstance(taken, Admitted)
    assert (taken.plan, asked) == (None, 1)


async def test_a_call_without_an_agent_is_billed_like_any_other(
    redis: Redis, tenant: Tenant, calls: LiveCalls
) -> None:
    await behave(redis, tenant, agent=False, fallback_number=FALLBACK)
    arrival = tenant.arrival()
    await calls.admit(arrival)
    await calls.answered(arrival.call_id, datetime.now(UTC))

    settled = await calls.end(
        arrival.call_id, CallEnd(EndedBy.HUMAN, EndReason.HANG_UP), datetime.now(UTC)
    )

    assert settled.state is CallState.ENDED
    ended = next(
        event for event in await events_of(redis, arrival.call_id) if event["type"] == "call.ended"
    )
    assert ended["bill"]["agent_id"] == ""  # type: ignore[index]


async def test_the_settings_clock_is_the_one_in_its_file(
    redis: Redis, tenant: Tenant, tmp_path: Path
) -> None:
    await behave(redis, tenant, opening_hours=HOURS)
    file = tmp_path / "clock"
    calls = live_calls(redis, dialplane_clock_file=file)

    file.write_text(OPEN_AT.isoformat())
    taken = await calls.admit(tenant.arrival())
    file.write_text(CLOSED_AT.isoformat())
    late = await calls.admit(tenant.arrival())

    assert isinstance(taken, Admitted)
    assert isinstance(late, Refused)
