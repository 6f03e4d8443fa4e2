"""A call commanded by the API, and keys in both directions, proved by a telephone's ear."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stack.conversation import speak
from stack.errors import ApiRefused
from stack.supervisor import Stack
from telephony.dtmf import DtmfPacing
from telephony.softphone.call import PhoneCall
from tests.e2e import ear
from tests.e2e.conftest import Dial, Office
from tests.e2e.waiting import event_types, said, until
from tests.servers.tool_server import json_reply, running_tool_server

pytestmark = pytest.mark.e2e

NEWS = "Your parcel has just been shipped."
BYE = "Thank you for calling."


async def hear_out(call: PhoneCall, *, since_s: float = 0.0) -> None:
    """Wait until the agent has said something, to the end: the first thing, or since a moment."""
    await call.wait_for_audio(timeout_s=30, since_s=since_s)
    await call.wait_for_quiet(quiet_s=0.7)


async def press_and_hear(call: PhoneCall, keys: str) -> None:
    """Press keys and hear out what the agent says to them."""
    pressed_s = time.monotonic()
    await call.send_dtmf(keys)
    await hear_out(call, since_s=pressed_s)


async def call_in_progress(office: Office, number: str) -> str:
    async def find() -> str | None:
        found = (await office.api.get("/v1/calls", number=number, state="active"))["data"]
        return found[0]["id"] if found else None

    return await until(find)


async def ended_record(office: Office, number: str) -> dict[str, Any]:
    async def find() -> dict[str, Any] | None:
        return next((one for one in await office.calls(number) if one["state"] == "ended"), None)

    return await until(find)


async def test_a_call_does_what_the_api_says_and_no_more_once_it_is_over(
    office: Office, dial: Dial
) -> None:
    agent = await office.agent(greeting="Hello.", silenceTimeoutS=300)
    number = await office.number(agent["id"])

    async def ask(name: str, **body: Any) -> dict[str, Any]:
        return await office.api.post(f"/v1/calls/{call_id}/{name}", body)

    async with dial(number) as caller:
        call_id = await call_in_progress(office, number)
        await caller.wait_for_audio(timeout_s=30)
        await caller.wait_for_quiet(quiet_s=0.7)

        said_s = time.monotonic()
        assert (await ask("say", text=NEWS))["sentence"] == "It was said."
        # It is answered once it was said, so it has been heard by now.
        first_word_s = ear.first_speech(ear.windows(caller), said_s)

        held_s = time.monotonic()
        await office.api.send("POST", f"/v1/calls/{call_id}/hold")
        with pytest.raises(ApiRefused, match="on hold"):
            await ask("say", text=NEWS)
        await ear.hears_music(caller, held_s)
        asked_s = time.monotonic()
        await office.api.send("POST", f"/v1/calls/{call_id}/resume")
        resumed_s = time.monotonic()
        await ask("dtmf", keys="1w#9")
        by_caller = ear.windows(caller)
        with pytest.raises(ApiRefused, match="script"):
            await ask("whisper", text="Be kind.")
        with pytest.raises(ApiRefused, match="nobody"):
            await ask("transfer")
        await ask("end", say=BYE)
        await asyncio.wait_for(caller.ended, 30)
        keys = [one.digit for one in caller.received_digits]

    with pytest.raises(ApiRefused, match="ended"):
        await ask("hold")
    assert keys == ["1", "#", "9"]
    began_s = ear.first_music(by_caller, held_s)
    assert began_s < asked_s
    # Keys take a while to press: the music was over long before the last of them.
    assert ear.last_music(by_caller) < resumed_s + 1

    record = await ended_record(office, number)
    assert (record["endedBy"], record["endReason"]) == ("client", "hang_up")
    assert ("agent", NEWS) in said(record)
    assert ("agent", BYE) in said(record)
    commands = [one["data"] for one in record["events"] if one["type"] == "command"]
    assert [(one["command"], one["status"]) for one in commands] == [
        ("say", "done"),
        ("hold", "done"),
        ("say", "refused"),
        ("resume", "done"),
        ("dtmf", "done"),
        ("whisper", "refused"),
        ("transfer", "refused"),
        ("end", "done"),
    ]
    assert {"hold.started", "hold.ended", "keys.sent"} <= set(event_types(record))
    print(  # noqa: T201 - the figures, for a run with -s
        f"\nsay {first_word_s - said_s:.2f} s to the first sound, "
        f"hold {began_s - held_s:.2f} s to music, "
        f"resume {ear.last_music(by_caller) - asked_s:.2f} s to its end"
    )


ORDER, PIN = "4711", "908172"
ASK_ORDER, ASK_PIN = "Please key in your order number.", "Please key in your secret number."
FIRST_MENU, SECOND_MENU = "for opening hours press one", "please enter the order number"


def keying_steps() -> list[dict[str, Any]]:
    order = {"name": "order", "prompt": ASK_ORDER, "max_digits": 4}
    pin = {"name": "pin", "prompt": ASK_PIN, "sensitive": True, "inter_digit_timeout_s": 10}
    return [
        {"keys": ["1"], "action": {"gather_keys": order}, "then": "You keyed in {result.keys}."},
        {"keys": ["2"], "action": {"gather_keys": pin}, "then": "Thank you."},
        {"keys": ["3"], "action": {"check_pin": {"pin": "{keys.pin}"}}, "then": "{result.say}"},
        {"phrases": [FIRST_MENU], "action": {"press_keys": {"keys": "1"}}},
        {"phrases": [SECOND_MENU], "action": {"press_keys": {"keys": "{keys.order}w#"}}},
    ]


async def test_keys_are_gathered_and_pressed_and_secret_ones_reach_the_tool_alone(
    office: Office, dial: Dial, stack: Stack
) -> None:
    # A server that says too much: the secret number is kept out of its answer.
    answer = json_reply({"say": f"The number {PIN} is right."})
    async with running_tool_server(lambda _: answer) as bank:
        tool = await office.api.post(
            "/v1/tools",
            {
                "name": "check_pin",
                "description": "Checks a secret number.",
                "parameters": {"type": "object", "properties": {"pin": {"type": "string"}}},
                "http": {"url": bank.url("/check"), "method": "POST"},
            },
        )
        agent = await office.agent(
            script={"steps": keying_steps()},
            toolIds=[tool["id"]],
            toolsAllowed=["gather_keys", "press_keys"],
            greeting="Hello.",
            silenceTimeoutS=300,
        )
        number = await office.number(agent["id"])
        async with dial(number) as caller:
            await hear_out(caller)
            await press_and_hear(caller, "1")
            pressed_s = time.monotonic()
            await caller.send_dtmf(ORDER)
            released_at = datetime.now(UTC) - timedelta(milliseconds=DtmfPacing().gap_ms)
            await hear_out(caller, since_s=pressed_s)
            await caller.send_dtmf("2")
            # Keys cut the question short.
            await caller.wait_for_audio(since_s=time.monotonic())
            await caller.send_dtmf(PIN + "#")
            await hear_out(caller, since_s=time.monotonic())
            await press_and_hear(caller, "3")
            # And now the caller is a machine with a menu of its own.
            await caller.play(await asyncio.to_thread(speak, FIRST_MENU))
            assert await caller.wait_for_digits(1) == "1"
            await caller.play(await asyncio.to_thread(speak, SECOND_MENU))
            assert await caller.wait_for_digits(6) == "1" + ORDER + "#"
            await caller.hang_up()

    record = await ended_record(office, number)
    [asked] = bank.received
    assert asked.json == {"pin": PIN}
    gathered = [one for one in record["events"] if one["type"] == "keys.gathered"]
    assert [one["data"] for one in gathered] == [
        {"name": "order", "keys": ORDER, "count": 4, "ended": "full"},
        {"name": "pin", "keys": "", "count": 6, "ended": "terminator"},
    ]
    turns = said(record)
    assert ("caller", f"[keys {ORDER}]") in turns
    assert ("caller", "[6 keys, not shown]") in turns
    assert ("agent", f"You keyed in {ORDER}.") in turns
    assert ("agent", "The number [keys] is right.") in turns
    assert PIN not in str(record)
    for name in ("sip", "livekit", "gateway", "dispatch", "worker"):
        assert PIN not in stack.log_tail(name, lines=100_000)
    # livekit-sip tells a key when it is pressed, so it may be gathered before it is released.
    gathered_s = (datetime.fromisoformat(gathered[0]["at"]) - released_at).total_seconds()
    print(f"\nlast key released to entry on record: {gathered_s:.3f} s")  # noqa: T201
