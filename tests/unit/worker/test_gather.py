"""Keys asked of the caller: when an entry is complete, and who gets to see it."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit.agents import StopResponse, ToolError
from pydantic import ValidationError

from worker.call_errors import CallOver, NotNow
from worker.ending import Ending
from worker.gather import Gathered, GatherEnd, Gathering, GatherPlan, KeyGatherer
from worker.held_keys import HeldKeys
from worker.keys import KeyInput
from worker.line import LineDownError
from worker.tools.keys import gather_keys_tool, press_keys_tool

pytestmark = pytest.mark.unit

PIN = "4929"
QUICK = {"first_timeout_s": 0.5, "inter_digit_timeout_s": 0.5}


async def entry(keys: str, **plan: Any) -> Gathered:
    """Return what is gathered when these keys are pressed after the prompt."""
    gathering = Gathering(GatherPlan(**(QUICK | plan)))
    for key in keys:
        gathering.press(key)
    return await gathering.collect(asyncio.sleep(0), lambda: None)


@pytest.mark.parametrize(
    ("keys", "plan", "expected"),
    [
        ("1234", {"max_digits": 4}, Gathered("1234", GatherEnd.FULL)),
        ("12#34", {}, Gathered("12", GatherEnd.TERMINATOR)),
        ("12#4", {"terminator": "", "max_digits": 4}, Gathered("12#4", GatherEnd.FULL)),
        ("12*", {"terminator": "*"}, Gathered("12", GatherEnd.TERMINATOR)),
        ("12", {}, Gathered("12", GatherEnd.TIMEOUT)),
        ("", {}, Gathered("", GatherEnd.TIMEOUT)),
        ("#", {}, Gathered("", GatherEnd.TERMINATOR)),
    ],
)
async def test_an_entry_is_complete_by_its_length_its_closing_key_or_a_pause(
    keys: str, plan: dict[str, Any], expected: Gathered
) -> None:
    assert await entry(keys, **plan) == expected


async def test_a_key_cuts_the_prompt_short_and_counts() -> None:
    gathering = Gathering(GatherPlan(max_digits=1))
    stopped = asyncio.Event()
    collecting = asyncio.ensure_future(gathering.collect(asyncio.sleep(60), stopped.set))
    await asyncio.sleep(0)
    gathering.press("7")
    assert await collecting == Gathered("7", GatherEnd.FULL)
    assert stopped.is_set()


async def test_without_barge_in_keys_pressed_during_the_prompt_are_ignored() -> None:
    gathering, heard = Gathering(GatherPlan(max_digits=1, barge_in=False)), asyncio.Event()
    collecting = asyncio.ensure_future(gathering.collect(heard.wait(), lambda: None))
    await asyncio.sleep(0)
    gathering.press("7")
    heard.set()
    for _ in range(20):
        await asyncio.sleep(0)
    gathering.press("8")
    assert await collecting == Gathered("8", GatherEnd.FULL)


@pytest.mark.parametrize(
    "plan",
    [
        {"min_digits": 5, "max_digits": 4},
        {"max_digits": 1_000},
        {"min_digits": 0},
        {"terminator": "x"},
        {"terminator": "12"},
        {"first_timeout_s": float("nan")},
        {"name": "no spaces"},
        {"digits": 4},
    ],
)
def test_a_plan_that_cannot_be_met_is_refused(plan: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GatherPlan(**plan)


class Line:
    """A caller's line that may go down."""

    def __init__(self) -> None:
        self.is_down = False

    async def unless_down(self, work: Any) -> Any:
        if self.is_down:
            work.close()
            raise LineDownError
        return await work


class Journal:
    def __init__(self) -> None:
        self.entries: list[tuple[Any, ...]] = []

    def gathered(self, *entry: Any) -> None:
        self.entries.append(entry)

    def keys(self, *entry: Any) -> None:
        self.entries.append(entry)


class Desk:
    """A caller whose agent asks for keys."""

    def __init__(self) -> None:
        self.listens: list[bool] = []
        source = SimpleNamespace(set_audio_enabled=self.listens.append)
        self.session = cast("Any", SimpleNamespace(input=source))
        self.journal, self.line = Journal(), Line()
        self.keys = KeyInput(self.session, cast("Any", self.journal), Ending(), "caller")
        self.gatherer = KeyGatherer(
            self.session,
            self.keys,
            cast("Any", self.line),
            cast("Any", self.journal),
            self.speak,
        )

    def speak(self, _text: str) -> Any:
        raise AssertionError("there is no prompt")

    def press(self, keys: str, identity: str = "caller") -> None:
        for digit in keys:
            who = SimpleNamespace(identity=identity)
            self.keys.press(cast("Any", SimpleNamespace(participant=who, digit=digit)))

    async def asked_for(self, keys: str, **plan: Any) -> Gathered:
        asking = asyncio.ensure_future(self.gatherer.gather(GatherPlan(**plan)))
        await asyncio.sleep(0)
        self.press("9", identity="somebody else")
        self.press(keys)
        return await asking


async def test_keys_of_the_caller_alone_make_the_entry_and_nobody_listens_meanwhile() -> None:
    desk = Desk()
    assert (await desk.asked_for("12", max_digits=2, name="order")).digits == "12"
    assert desk.journal.entries == [("order", "12", 2, "full")]
    assert desk.listens == [False, True]
    desk.press("3")
    assert desk.journal.entries[-1][0] == "3"


async def test_of_a_sensitive_entry_only_its_length_is_put_on_record() -> None:
    desk = Desk()
    assert (await desk.asked_for(PIN, max_digits=4, sensitive=True)).digits == PIN
    assert desk.journal.entries == [("keys", "", 4, "full")]


async def test_nobody_is_asked_who_is_away_asked_already_or_gone() -> None:
    desk = Desk()
    desk.keys.is_for_agent = False
    with pytest.raises(NotNow):
        await desk.gatherer.gather(GatherPlan())
    desk.keys.is_for_agent = True
    with desk.keys.given_to(lambda _key: None), pytest.raises(NotNow):
        await desk.gatherer.gather(GatherPlan())
    desk.line.is_down = True
    with pytest.raises(CallOver):
        await desk.gatherer.gather(GatherPlan())


class Context:
    """What a tool is given by the framework."""

    def disallow_interruptions(self) -> None:
        """Do nothing."""

    async def wait_for_playout(self) -> None:
        """Do nothing."""


async def gathered_by_tool(held: HeldKeys, digits: str, **arguments: Any) -> dict[str, Any]:
    async def gather(_plan: GatherPlan) -> Gathered:
        return Gathered(digits, GatherEnd.FULL)

    tool = gather_keys_tool(gather, held)
    answer = await tool(raw_arguments=arguments, context=cast("Any", Context()))
    told: dict[str, Any] = json.loads(answer)
    return told


async def test_a_model_is_shown_plain_keys_and_a_stand_in_for_sensitive_ones() -> None:
    held = HeldKeys()
    plain = await gathered_by_tool(held, "12", name="order")
    secret = await gathered_by_tool(held, PIN, name="pin", sensitive=True)
    assert plain["keys"] == "12"
    assert secret == {"keys": "{keys.pin}", "count": 4, "ended": "full"}
    assert held.filled({"a": ["{keys.pin}", 1], "b": "{keys.order}-{keys.other}"}) == {
        "a": [PIN, 1],
        "b": "12-{keys.other}",
    }
    assert held.masked(f"no account {PIN} for order 12") == "no account [keys] for order 12"


async def test_too_few_keys_and_a_wrong_plan_are_sentences_for_the_model() -> None:
    with pytest.raises(ToolError, match="pressed 1 keys; 4 are needed"):
        await gathered_by_tool(HeldKeys(), "1", min_digits=4)
    with pytest.raises(ToolError, match="max_digits"):
        await gathered_by_tool(HeldKeys(), "1", max_digits=1_000)


class Control:
    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.pressed: list[tuple[str, bool]] = []

    async def press_keys(self, keys: str, *, sensitive: bool = False) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.pressed.append((keys, sensitive))


async def test_keys_that_were_keyed_in_can_be_pressed_and_stay_off_the_record() -> None:
    control, held = Control(), HeldKeys()
    held.hold("pin", PIN, sensitive=True)
    tool = press_keys_tool(control, held)
    for keys in ("1w", "{keys.pin}#"):
        await tool(raw_arguments={"keys": keys}, context=cast("Any", Context()))
    assert control.pressed == [("1w", False), (f"{PIN}#", True)]


async def test_a_press_in_a_call_that_is_over_says_nothing_more() -> None:
    tool = press_keys_tool(Control(CallOver()), HeldKeys())
    with pytest.raises(StopResponse):
        await tool(raw_arguments={"keys": "1"}, context=cast("Any", Context()))
    tool = press_keys_tool(Control(NotNow("No telephone.")), HeldKeys())
    with pytest.raises(ToolError, match="No telephone"):
        await tool(raw_arguments={"keys": "1"}, context=cast("Any", Context()))
