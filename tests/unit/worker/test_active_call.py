"""An admitted call whose agent's models are not to be had."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from dispatch.billing.prices import PriceBook
from dispatch.calls import Admitted, ProviderFailure
from dispatch.models.choices import AgentModels
from dispatch.number_behaviour import Action, CallPlan, Ground
from tests.builders.live_calls import Tenant
from worker import active_call
from worker.active_call import ActiveCall, able_to_talk
from worker.usage import CallUsage
from worker.vendors.account import ModelUnavailableError

pytestmark = pytest.mark.unit

FAILURE = ProviderFailure("llm", "openai", "gpt-4.1-mini", "The key does not open.")
OWN_MODELS = AgentModels.model_validate({"llm": {"provider": "openai"}})
NOTHING = cast("Any", None)


class Journal:
    def __init__(self) -> None:
        self.failures: list[ProviderFailure] = []

    def provider_failed(self, failure: ProviderFailure) -> None:
        self.failures.append(failure)


def a_call(fallback: str | None) -> ActiveCall:
    tenant = Tenant()
    agent = tenant.agent(models=OWN_MODELS, transfer={"targets": ["sip:a@b.example"]})
    at = datetime(2026, 11, 20, tzinfo=UTC)
    plan = CallPlan(action=Action.CONVERSE, ground=Ground.OPEN, at=at, fallback_number=fallback)
    arrival = tenant.arrival()
    admitted = Admitted(
        call_id=arrival.call_id,
        organization_id=tenant.organization_id,
        project_id=tenant.project_id,
        agent=agent,
        price_microcredits_per_minute=0,
        funded_s=60.0,
        metadata={},
        prices=PriceBook.load().tables[0],
        plan=plan,
    )
    journal = cast("Any", Journal())
    return ActiveCall(NOTHING, arrival, admitted, journal, NOTHING, CallUsage(agent.models))


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an agent whose models run here can be built."""

    async def build(call: ActiveCall, *_: object) -> Any:
        if call.admitted.agent.needed_secrets:
            raise ModelUnavailableError(FAILURE)
        return "conversation"

    monkeypatch.setattr(active_call, "_build_conversation", build)


async def test_goes_to_the_numbers_fallback_in_the_voice_that_needs_no_vendor() -> None:
    able, conversation = await able_to_talk(a_call("+12015550177"), NOTHING, NOTHING)

    assert cast("Any", conversation) == "conversation"
    assert able.admitted.plan is not None
    assert able.admitted.plan.transfer_to == "+12015550177"
    assert able.admitted.agent.models == AgentModels()
    assert able.admitted.agent.transfer.patterns == ("+12015550177",)
    assert cast("Any", able.journal).failures == [FAILURE]


async def test_is_over_where_the_number_has_no_fallback() -> None:
    with pytest.raises(ModelUnavailableError):
        await able_to_talk(a_call(None), NOTHING, NOTHING)
