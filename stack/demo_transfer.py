"""The second act of `make demo`: a warm transfer, from the key pressed to the bill of both legs."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from stack.api_client import ApiClient
from stack.conversation import Line, Who, speak, understand
from stack.demo_agent import AGENT, CALLER
from stack.errors import DemoFailed
from stack.tenant import assign, ensure_number
from stack.terminal import Terminal
from telephony.softphone.call import PhoneCall
from telephony.softphone.errors import CallFailed, CallIsOver, NothingHeard
from telephony.softphone.phone import Softphone

NUMBER: Final = "+12015550101"
NAME: Final = "Harbour Books, with a desk"
KEY: Final = "0"
SUMMARY: Final = "A customer of Harbour Books asks for a person."
AT_THE_DESK: Final = "where can I find you"
BY_THE_CALLER: Final = "what are your opening hours"
MARGIN_S: Final = 0.15
QUIET_S: Final = 0.8
PATIENCE_S: Final = 120.0


def transferring_agent(desk: str) -> dict[str, Any]:
    """Return an agent that passes calls on to a desk when key 0 is pressed.

    Args:
        desk: The desk's SIP address.
    """
    step = {
        "phrases": ["let me talk to a person"],
        "keys": [KEY],
        "reply": "One moment, please.",
        "action": {"transfer_call": {"summary": SUMMARY}},
    }
    script = {**AGENT["script"], "steps": [step, *AGENT["script"]["steps"]]}
    return {**AGENT, "name": NAME, "script": script, "transfer": {"targets": [desk]}}


async def prepare(client: ApiClient, desk: str) -> dict[str, Any]:
    """Let an agent with a desk answer a second number; return the number as the API has it."""
    wanted = transferring_agent(desk)
    agents = (await client.get("/v1/agents", limit=100))["data"]
    known = next((one for one in agents if one["name"] == NAME), None)
    agent = (
        await client.post("/v1/agents", wanted)
        if known is None
        else await client.patch(f"/v1/agents/{known['id']}", wanted)
    )
    number = await ensure_number(client, NUMBER)
    await assign(client, number["id"], agent["id"])
    return number


class WarmTransfer:
    """A caller and somebody at a desk, and a line printed for everything that happens to them.

    Args:
        sip_address: Where the number is called.
        desk: The telephone on the desk.
        terminal: Where lines are printed.
    """

    def __init__(self, sip_address: str, desk: Softphone, terminal: Terminal) -> None:
        self._sip_address = sip_address
        self._desk = desk
        self._terminal = terminal
        self._begun_s = time.monotonic()

    async def run(self) -> None:
        """Call, ask for a person, be put through, talk, hang up.

        Raises:
            DemoFailed: Somebody did not hear what they should have.
        """
        try:
            async with Softphone() as phone:
                target = f"sip:{NUMBER}@{self._sip_address}"
                self._begun_s = time.monotonic()
                caller = await phone.call(target, from_user=CALLER, ring_timeout_s=PATIENCE_S)
                await self._talk(caller)
        except (CallFailed, CallIsOver, NothingHeard, TimeoutError) as exc:
            raise DemoFailed(f"The transfer did not work: {exc or type(exc).__name__}") from exc

    async def _talk(self, caller: PhoneCall) -> None:
        greeting = await self._hear(caller, [AGENT["greeting"]])
        self._say("agent", f"{greeting}  (to the caller)")
        self._say("caller", f"[presses {KEY}]")
        await caller.send_dtmf(KEY)
        incoming = await self._desk.next_call(timeout_s=PATIENCE_S)
        incoming.ring()
        self._say("desk", "[rings; the caller hears music]")
        human = await incoming.answer()
        self._say("desk", "[answers]")
        briefing_s = await self._listen(human)
        self._say("agent", f"[{briefing_s:.1f} s to the desk: {SUMMARY} …]")
        self._say("desk", "[presses 1 to take the call]")
        await human.send_dtmf("1")
        await self._pass(human, "desk", AT_THE_DESK, caller)
        await self._pass(caller, "caller", BY_THE_CALLER, human)
        await caller.hang_up()
        self._say("caller", "[hangs up]")
        await asyncio.wait_for(human.ended, PATIENCE_S)
        self._say("desk", "[hears that the call is over]")

    async def _pass(self, speaker: PhoneCall, who: Who, text: str, listener: PhoneCall) -> None:
        """Let one say something and the other understand it."""
        sound = await asyncio.to_thread(speak, text)
        # What the listener heard before was music or the agent.
        await listener.wait_for_quiet(quiet_s=QUIET_S, timeout_s=PATIENCE_S)
        begun_s = time.monotonic()
        await speaker.play(sound)
        last_s = await listener.wait_for_quiet(quiet_s=QUIET_S, timeout_s=PATIENCE_S)
        pcm = listener.heard.between(begun_s, last_s + MARGIN_S)
        heard = await asyncio.to_thread(understand, pcm, [AT_THE_DESK, BY_THE_CALLER])
        self._say(who, f"{text}  (heard as: {heard})")

    async def _hear(self, call: PhoneCall, sentences: Sequence[str]) -> str:
        first = await call.wait_for_audio(timeout_s=PATIENCE_S)
        last_s = await call.wait_for_quiet(quiet_s=QUIET_S, timeout_s=PATIENCE_S)
        pcm = call.heard.between(first.arrived_s - MARGIN_S, last_s + MARGIN_S)
        return await asyncio.to_thread(understand, pcm, sentences)

    async def _listen(self, call: PhoneCall) -> float:
        first = await call.wait_for_audio(timeout_s=PATIENCE_S)
        return await call.wait_for_quiet(quiet_s=QUIET_S, timeout_s=PATIENCE_S) - first.arrived_s

    def _say(self, who: Who, text: str) -> None:
        self._terminal.line(Line(time.monotonic() - self._begun_s, who, text))


def show_legs(call: dict[str, Any], terminal: Terminal) -> None:
    """Print a transfer as it is on record, step by step, and what each leg cost."""
    begun = datetime.fromisoformat(call["startedAt"])
    for event in call["events"]:
        if event["type"].startswith(("transfer.", "hold.")):
            after_s = (datetime.fromisoformat(event["at"]) - begun).total_seconds()
            data = {key: value for key, value in event["data"].items() if key != "transfer_id"}
            detail = ", ".join(f"{key}: {value}" for key, value in data.items())
            terminal.fact(f"{after_s:6.2f} s {event['type']}", detail)
    for part in call["usage"]:
        if part["service"] == "telephony":
            leg = "the desk's leg" if part["model"] else "the caller's leg"
            terminal.fact(leg, f"{part['quantity']} s, {part['costMicrocredits']} micro-credits")


def refuse_failure(call: dict[str, Any]) -> None:
    """Do nothing when somebody took the call.

    Raises:
        DemoFailed: Nobody did.
    """
    types = [event["type"] for event in call["events"]]
    if "transfer.merged" not in types:
        raise DemoFailed(f"Nobody took the call: {', '.join(types)}")
