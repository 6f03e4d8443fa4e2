"""Whom a call may be passed to, and the ways on which it would come back."""

import uuid

import pytest

from dispatch.errors import StoreUnavailable
from dispatch.transfer_policy import TransferPolicy
from telephony.dialling_rules import DiallingRules, RefusalCode, TargetRefused
from telephony.e164 import E164, parse_e164
from worker.transfers.targets import MAX_HOPS, Targets

pytestmark = pytest.mark.unit

MINE, FIRST, THIRD = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
OURS = {
    parse_e164("+12015550101"): MINE,
    parse_e164("+12015550110"): FIRST,
    parse_e164("+12015550111"): FIRST,
    parse_e164("+12015550120"): THIRD,
}
FOREIGN = "+12015550155"


async def find_agent(number: E164) -> uuid.UUID | None:
    return OURS.get(number)


def targets_of_a_call_from(caller: str | None) -> Targets:
    policy = TransferPolicy(targets=(FOREIGN,), allow=("+1*",))
    number = None if caller is None else parse_e164(caller)
    return Targets(policy, DiallingRules(allow=policy.patterns), MINE, number, find_agent)


async def refusal(targets: Targets, to: str | None, hops: int = 0) -> RefusalCode:
    with pytest.raises(TargetRefused) as refused:
        await targets.allowed(to, hops)
    return refused.value.code


async def test_a_number_that_the_agent_answers_itself_is_a_loop() -> None:
    assert await refusal(targets_of_a_call_from(None), "+12015550101") is RefusalCode.LOOP


async def test_any_number_of_the_agent_that_passed_the_call_on_is_a_loop() -> None:
    targets = targets_of_a_call_from("+12015550110")

    assert await refusal(targets, "+12015550111") is RefusalCode.LOOP


async def test_others_numbers_and_other_agents_of_ours_may_be_called() -> None:
    for caller, to in (
        ("+12015550110", "+12015550120"),
        (None, "+12015550111"),
        (FOREIGN, "+12015550120"),
    ):
        [target] = await targets_of_a_call_from(caller).allowed(to, 0)
        assert target.text == to


async def test_a_call_that_went_through_too_many_hands_is_not_passed_on() -> None:
    targets = targets_of_a_call_from(None)

    assert len(await targets.allowed(None, MAX_HOPS - 1)) == 1
    assert await refusal(targets, None, MAX_HOPS) is RefusalCode.LOOP


async def test_while_redis_is_away_calls_are_passed_on_as_the_agent_allows() -> None:
    async def away(_number: E164) -> uuid.UUID | None:
        raise StoreUnavailable("redis")

    policy = TransferPolicy(targets=(FOREIGN,))
    targets = Targets(policy, DiallingRules(allow=policy.patterns), MINE, None, away)

    assert [one.text for one in await targets.allowed(None, 0)] == [FOREIGN]
    assert await refusal(targets, "+12015550120") is RefusalCode.NOT_ALLOWED


async def test_an_agent_without_targets_has_nobody_to_pass_calls_to() -> None:
    policy = TransferPolicy(allow=("+1*",))
    targets = Targets(policy, DiallingRules(allow=policy.patterns), MINE, None, find_agent)

    assert await refusal(targets, None) is RefusalCode.NOT_ALLOWED
