"""The tools `transfer_call` and `hold`: what the agent is told, and when it says nothing more."""

import json
from typing import Any

import pytest
from livekit.agents import StopResponse, ToolError

from dispatch.transfer_policy import TransferMode, TransferPolicy
from telephony.dialling_rules import RefusalCode, TargetRefused
from telephony.errors import VendorUnavailable
from worker.call_errors import CallOver, NotNow
from worker.tools.transfer_call import transfer_tools
from worker.transfers.outcome import TransferCode, TransferOutcome

pytestmark = pytest.mark.unit

POLICY = TransferPolicy(targets=("+12015550155",), allow=("sip:*@pbx.example",))


class Control:
    """Call control that answers or raises one thing."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.asked: list[Any] = []

    async def transfer(
        self, to: str | None = None, mode: TransferMode | None = None, summary: str = ""
    ) -> Any:
        return self._reply((to, mode, summary))

    async def hold_for(self, seconds: float) -> Any:
        return self._reply(seconds)

    def _reply(self, asked: Any) -> Any:
        self.asked.append(asked)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


class Context:
    """The framework's context of a tool call."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def disallow_interruptions(self) -> None:
        self.steps.append("uninterrupted")

    async def wait_for_playout(self) -> None:
        self.steps.append("heard")


async def use(name: str, control: Control, **arguments: Any) -> Any:
    [tool] = [one for one in transfer_tools(control, POLICY) if one.info.name == name]
    context = Context()
    answer = await tool(raw_arguments=arguments, context=context)
    assert context.steps == ["uninterrupted", "heard"]
    return answer


async def test_the_agent_is_told_what_became_of_a_transfer_and_what_to_say() -> None:
    control = Control(TransferOutcome(TransferCode.BUSY, "+12015550155", 486))
    answer = await use("transfer_call", control, mode="cold", summary="Ann asks for Bob.")

    assert json.loads(answer) == {"outcome": "busy", "say": "I am sorry, the line is busy."}
    assert control.asked == [(None, TransferMode.COLD, "Ann asks for Bob.")]


async def test_the_agent_says_nothing_more_once_somebody_has_the_call() -> None:
    with pytest.raises(StopResponse):
        await use("transfer_call", Control(TransferOutcome(TransferCode.ACCEPTED, "x")))


@pytest.mark.parametrize(
    "refusal",
    [
        TargetRefused(RefusalCode.PREMIUM, "The target is a premium rate number."),
        NotNow("The caller talks with somebody else."),
        VendorUnavailable("livekit", "set_heard", "no answer in time"),
    ],
)
async def test_a_refusal_is_a_sentence_and_the_call_goes_on(refusal: Exception) -> None:
    for name, arguments in (("transfer_call", {}), ("hold", {"seconds": 5})):
        if name == "hold" and isinstance(refusal, TargetRefused):
            continue
        with pytest.raises(ToolError) as refused:
            await use(name, Control(refusal), **arguments)
        assert refused.value.message.endswith(".")


async def test_a_mode_that_there_is_not_is_refused() -> None:
    with pytest.raises(ToolError, match="cold or warm"):
        await use("transfer_call", Control(None), mode="luke")


async def test_nothing_is_said_in_a_call_that_is_over() -> None:
    for name, arguments in (("transfer_call", {}), ("hold", {"seconds": 5})):
        with pytest.raises(StopResponse):
            await use(name, Control(CallOver()), **arguments)


async def test_after_a_hold_the_agent_goes_on_unless_the_call_was_passed_on() -> None:
    assert await use("hold", Control(answer=True), seconds=5) == "The caller is back."
    with pytest.raises(StopResponse):
        await use("hold", Control(answer=False), seconds=5)


@pytest.mark.parametrize("seconds", [0, -1, 601, "5", True, None])
async def test_a_hold_has_a_length_in_seconds(seconds: Any) -> None:
    [hold] = transfer_tools(Control(None), TransferPolicy())
    with pytest.raises(ToolError, match="600"):
        await hold(raw_arguments={"seconds": seconds}, context=Context())


def test_an_agent_with_nobody_to_pass_calls_to_cannot_try() -> None:
    assert [tool.info.name for tool in transfer_tools(Control(None), TransferPolicy())] == ["hold"]


def test_the_model_is_told_whom_it_may_name() -> None:
    [_, tool] = transfer_tools(Control(None), POLICY)
    parameters = tool.info.raw_schema["parameters"]

    assert "sip:*@pbx.example" in parameters["properties"]["to"]["description"]
    assert parameters["required"] == []
