"""A call commanded by the API, and keys in both directions, proved by a telephone's ear."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stack.errors import ApiRefused
from stack.supervisor import Stack
from telephony.dtmf import DtmfPacing
from telephony.softphone.call import PhoneCall
from tests.e2e import ear
from tests.e2e.conftest import Dial, Office
from tests.e2e.talking import has_told, say_until
from tests.e2e.transferring import (
    LOST_LEG_S,
    call_in_progress,
    ended_record,
    hear_out,
    press_and_hear,
)
from tests.e2e.waiting import PATIENCE_S, event_types, said, until
from tests.servers.tool_server import json_reply, running_tool_server

pytestmark = pytest.mark.e2e

NEWS = "Your parcel has just been shipped."
BYE = "Thank you for calling."


async def test_a_call_does_what_the_api_says_and_no_more_once_it_is_over(
    office: Office, dial: Dial
) -> None:
    agent = await office.agent(greeting="Hello.", silenceTimeoutS=300)
    number = await office.number(agent["id"])

    async def ask(name: str, **body: Any) -> dict[str, Any]:
        return await office.api.post(f"/v1/calls/{call_id}/{name}", body)

    async with dial(number) as caller:
        call_id = await call_in_progress(office, number)
        await hear_out(caller)
        said_s = time.monotonic()
        assert (await ask("say", text=NEWS))["sentence"] == "It was said."
        first_word_s = await ear.hears_speech(caller, said_s)

        held_s = time.monotonic()
        await office.api.send("POST", f"/v1/calls/{call_id}/hold")
        with pytest.raises(ApiRefused, match="on hold"):
            await ask("say", text=NEWS)
        began_s = await ear.hears_music(caller, held_s)
        asked_s = time.monotonic()
        await office.api.send("POST", f"/v1/calls/{call_id}/resume")
        over_s = await ear.music_ends(caller, held_s)
        await ask("dtmf", keys="1w#9")
        with pytest.raises(ApiRefused, match="script"):
            await ask("whisper", text="Be kind.")
        with pytest.raises(ApiRefused, match="nobody"):
            await ask("transfer")
        await ask("end", say=BYE)
        await asyncio.wait_for(caller.ended, LOST_LEG_S)

    with pytest.raises(ApiRefused, match="ended"):
        await ask("hold")
    assert pressed_by(caller) == "1#9"
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
        f"resume {over_s - asked_s:.2f} s to its end"
    )


ORDER, PIN = "4711", "90817263544536"
"""As long as a card number: logs are full of digits, and a few of them come together by chance."""
ASK_ORDER, ASK_PIN = "Please key in your order number.", "Please key in your secret number."
FIRST_MENU, SECOND_MENU = "for opening hours press one", "please enter the order number"


def keying_steps() -> list[dict[str, Any]]:
    patience = {"first_timeout_s": 60, "inter_digit_timeout_s": 30}
    order = {"name": "order", "prompt": ASK_ORDER, "max_digits": 4, **patience}
    pin = {"name": "pin", "prompt": ASK_PIN, "sensitive": True, **patience}
    return [
        {"keys": ["1"], "action": {"gather_keys": order}, "then": "You keyed in {result.keys}."},
        {"keys": ["2"], "action": {"gather_keys": pin}, "then": "Thank you."},
        {"keys": ["3"], "action": {"check_pin": {"pin": "{keys.pin}"}}, "then": "{result.say}"},
        {"phrases": [FIRST_MENU], "action": {"press_keys": {"keys": "1"}}},
        {"phrases": [SECOND_MENU], "action": {"press_keys": {"keys": "{keys.order}w#"}}},
    ]


def pressed_by(call: PhoneCall) -> str:
    return "".join(one.digit for one in call.received_digits)


async def has_pressed(call: PhoneCall, keys: str) -> None:
    """Wait until these keys were the last that came from the other end of a call."""

    async def find() -> bool | None:
        return True if pressed_by(call).endswith(keys) else None

    await until(find)


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
            await has_told(office, number, f"You keyed in {ORDER}.")
            asked_s = time.monotonic()
            await caller.send_dtmf("2")
            # Keys cut the question short.
            await caller.wait_for_audio(timeout_s=PATIENCE_S, since_s=asked_s)
            await caller.send_dtmf(PIN + "#")
            await has_told(office, number, "Thank you.")
            await caller.send_dtmf("3")
            await has_told(office, number, "The number [keys] is right.")
            # And now the caller is a machine with a menu of its own, and says it again and again.
            await say_until(caller, FIRST_MENU, has_pressed(caller, "1"))
            await say_until(caller, SECOND_MENU, has_pressed(caller, ORDER + "#"))
            await caller.hang_up()
    assert re.fullmatch(f"1+({ORDER}#)+", pressed_by(caller))

    record = await ended_record(office, number)
    [asked] = bank.received
    assert asked.json == {"pin": PIN}
    gathered = [one for one in record["events"] if one["type"] == "keys.gathered"]
    assert [one["data"] for one in gathered] == [
        {"name": "order", "keys": ORDER, "count": 4, "ended": "full"},
        {"name": "pin", "keys": "", "count": len(PIN), "ended": "terminator"},
    ]
    turns = said(record)
    assert ("caller", f"[keys {ORDER}]") in turns
    assert ("caller", f"[{len(PIN)} keys, not shown]") in turns
    assert ("agent", f"You keyed in {ORDER}.") in turns
    assert ("agent", "The number [keys] is right.") in turns
    assert PIN not in str(record)
    for name in ("sip", "livekit", "gateway", "dispatch", "worker"):
        assert PIN not in stack.log_tail(name, lines=100_000)
    # livekit-sip tells a key when it is pressed, so it may be gathered before it is released.
    gathered_s = (datetime.fromisoformat(gathered[0]["at"]) - released_at).total_seconds()
    print(f"\nlast key released to entry on record: {gathered_s:.3f} s")  # noqa: T201
