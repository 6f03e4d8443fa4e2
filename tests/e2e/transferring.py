"""Agents that pass calls on, who they are passed to, and what is read of it afterwards."""

import asyncio
import time
from collections import Counter
from typing import Any

from telephony.softphone.call import PhoneCall
from telephony.softphone.phone import Softphone
from tests.e2e.conftest import Office
from tests.e2e.waiting import until

SUMMARY = "A customer asks where a parcel is."
NOT_ALLOWED = "That is not possible."
HOURS = "We are open from nine to five."
THANKS = "Thank you for waiting."
HELD_S = 2
LIFTED_AFTER_S = 1.0
"""Nobody lifts a telephone in the instant in which it rings."""
LOST_LEG_S = 60
"""Now and then livekit-server keeps a leg for some 20 s after it hung up; and some to spare."""


async def transferring_agent(office: Office, targets: list[str], **policy: Any) -> dict[str, Any]:
    """Create an agent: 1 passes the call on, 2 holds it, 3 answers, 4 asks for the forbidden."""
    steps: list[dict[str, Any]] = [
        {
            "keys": ["1"],
            "reply": "One moment.",
            "action": {"transfer_call": {"summary": SUMMARY}},
        },
        {"keys": ["2"], "action": {"hold": {"seconds": HELD_S}}, "then": THANKS},
        {"keys": ["3"], "reply": HOURS},
        {"keys": ["4"], "action": {"transfer_call": {"to": "+19005550123"}}},
        {
            "keys": ["5"],
            "action": {"transfer_call": {"to": targets[-1], "summary": SUMMARY}},
        },
    ]
    return await office.agent(
        script={"steps": steps, "errorReply": NOT_ALLOWED},
        transfer={"targets": targets, "ringTimeoutS": 5, "acceptTimeoutS": 6, **policy},
        silenceTimeoutS=300,
    )


async def ended_record(office: Office, number: str) -> dict[str, Any]:
    """Return the record of the call to a number that is over, once there is one."""

    async def find() -> dict[str, Any] | None:
        return next((one for one in await office.calls(number) if one["state"] == "ended"), None)

    return await until(find)


async def has_told(office: Office, number: str, *texts: str) -> None:
    """Wait until an agent has said these texts, and as often, in the only call of a number."""

    async def find() -> bool | None:
        [record] = await office.calls(number)
        told = Counter(turn["text"] for turn in record["transcript"] if turn["speaker"] == "agent")
        return True if told >= Counter(texts) else None

    await until(find)


def events(record: dict[str, Any], event_type: str) -> list[dict[str, Any]]:
    """Return what the events of one type say, in order."""
    return [event["data"] for event in record["events"] if event["type"] == event_type]


async def next_answered(desk: Softphone, *, ring_s: float = 0.0) -> PhoneCall:
    """Answer the next call that comes to a telephone, once it has rung for so long."""
    incoming = await desk.next_call(timeout_s=30)
    incoming.ring()
    await asyncio.sleep(ring_s)
    return await incoming.answer()


async def hear_out(call: PhoneCall, *, since_s: float = 0.0) -> None:
    """Wait until the agent has said something, to the end: the first thing, or since a moment."""
    await call.wait_for_audio(timeout_s=30, since_s=since_s)
    await call.wait_for_quiet(quiet_s=0.7)


async def press_and_hear(call: PhoneCall, key: str) -> None:
    """Press a key and hear out what the agent says to it."""
    pressed_s = time.monotonic()
    await call.send_dtmf(key)
    await hear_out(call, since_s=pressed_s)
