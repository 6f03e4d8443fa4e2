"""Agents that pass calls on, who they are passed to, and what is read of it afterwards."""

import asyncio
import time
from typing import Any

from telephony.softphone.call import PhoneCall
from telephony.softphone.phone import Softphone
from tests.e2e.conftest import Office
from tests.e2e.waiting import PATIENCE_S, until

SUMMARY = "A customer asks where a parcel is."
NOT_ALLOWED = "That is not possible."
HOURS = "We are open from nine to five."
THANKS = "Thank you for waiting."
HELD_S = 2
LIFTED_AFTER_S = 1.0
"""Nobody lifts a telephone in the instant in which it rings."""
LOST_LEG_S = 120
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
        transfer={"targets": targets, "ringTimeoutS": 60, "acceptTimeoutS": 60, **policy},
        silenceTimeoutS=300,
    )


async def call_in_progress(office: Office, number: str) -> str:
    """Return the id of the call to a number that is going on, once it is on record as answered."""

    async def find() -> str | None:
        found = (await office.api.get("/v1/calls", number=number, state="active"))["data"]
        return found[0]["id"] if found else None

    return await until(find)


async def ended_record(office: Office, number: str) -> dict[str, Any]:
    """Return the record of the call to a number that is over, once there is one."""

    async def find() -> dict[str, Any] | None:
        return next((one for one in await office.calls(number) if one["state"] == "ended"), None)

    return await until(find)


async def is_passed_on(office: Office, number: str) -> None:
    """Wait until the last call of a number was passed on, as far as our side knows.

    Whoever hangs up in the moment in which they first hear each other may be told as somebody who
    hung up before: they hear each other before the job has heard that they do.
    """

    async def find() -> bool | None:
        done = [
            event["outcome"]
            for record in (await office.calls(number))[:1]
            for event in events(record, "transfer.completed")
        ]
        return True if "accepted" in done else None

    await until(find)


async def is_briefed(office: Office, number: str) -> None:
    """Wait until whom the last call of a number is passed to was told all about it.

    A gap in what they hear is no end.
    """

    async def find() -> bool | None:
        records = (await office.calls(number))[:1]
        return True if any(events(record, "transfer.briefed") for record in records) else None

    await until(find)


def events(record: dict[str, Any], event_type: str) -> list[dict[str, Any]]:
    """Return what the events of one type say, in order."""
    return [event["data"] for event in record["events"] if event["type"] == event_type]


async def next_answered(desk: Softphone, *, ring_s: float = 0.0) -> PhoneCall:
    """Answer the next call that comes to a telephone, once it has rung for so long."""
    incoming = await desk.next_call(timeout_s=PATIENCE_S)
    incoming.ring()
    await asyncio.sleep(ring_s)
    return await incoming.answer()


async def hear_out(call: PhoneCall, *, since_s: float = 0.0) -> None:
    """Wait until the agent has said something, to the end: the first thing, or since a moment."""
    await call.wait_for_audio(timeout_s=PATIENCE_S, since_s=since_s)
    await call.wait_for_quiet(quiet_s=0.7, timeout_s=PATIENCE_S)


async def press_and_hear(call: PhoneCall, key: str) -> None:
    """Press a key and hear out what the agent says to it."""
    pressed_s = time.monotonic()
    await call.send_dtmf(key)
    await hear_out(call, since_s=pressed_s)
