"""What `make demo` does: a whole stack, a tenant, a number, one real call, its record."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from stack import demo_transfer
from stack.api_client import ApiClient, api_client
from stack.conversation import Action, Caller, Conversation, Press, Say, dialled
from stack.demo_agent import CALLER, NUMBER, puzzled, sentences_of
from stack.demo_transfer import WarmTransfer, refuse_failure, show_legs
from stack.env_file import FILE_NAME
from stack.errors import DemoFailed
from stack.processes import log_tail
from stack.settings import StackSettings
from stack.supervisor import Stack, running_stack
from stack.tenant import Tenant, assign, ensure_agent, ensure_number, ensure_tenant
from stack.terminal import Terminal, in_credits
from telephony.softphone.errors import CallFailed
from telephony.softphone.phone import Softphone

ACTIONS: tuple[Action, ...] = (
    Say("what are your opening hours"),
    Press("2"),
    Say("goodbye"),
)
COMMAND = ".venv/bin/dialplane"
"""The command line where `make` installs it, which is on nobody's PATH."""

NUMBER_TIMEOUT_S = 180.0
RECORD_TIMEOUT_S = 180.0
HANG_UP_TIMEOUT_S = 120.0
"""The last word makes the agent hang up; a busy machine takes its time for it."""
POLL_S = 0.1

CLOCK_SLACK = timedelta(seconds=2)


async def run_demo(settings: StackSettings, terminal: Terminal) -> None:
    """Show one call from nothing to its record; leaves data behind, but nothing running.

    Raises:
        StackError: Something failed; the text says what.
    """
    terminal.heading("Starting Postgres, Redis, LiveKit, gateway, dispatch and worker")
    begun = time.monotonic()
    async with running_stack(settings, say=terminal.step, until_ready=False) as stack:
        terminal.step(f"all logs are in {stack.logs}")
        terminal.heading("Setting up through the public API")
        tenant, agent, number = await set_up(stack, terminal)
        await stack.wait_ready()
        terminal.step(f"ready after {time.monotonic() - begun:.1f} s")
        async with api_client(stack.gateway_url, tenant.api_key) as client:
            terminal.heading(f"Calling sip:{number['number']}@{stack.sip_address}")
            placed_at = datetime.now(UTC)
            conversation = await place_call(stack, agent, terminal)
            terminal.timings(conversation)
            call = await find_record(client, stack, placed_at, NUMBER)
            show_record(call, terminal)
            refuse_silence(conversation, stack)
            await pass_a_call_on(client, stack, terminal)
    where_next(settings, terminal)


async def set_up(stack: Stack, terminal: Terminal) -> tuple[Tenant, dict[str, Any], dict[str, Any]]:
    """Make tenant, agent and number, and wait until the number can be called.

    Returns:
        The tenant, and agent and number as the API answers them.

    Raises:
        DemoFailed: The number did not become active.
    """
    tenant = await ensure_tenant(stack.var, stack.gateway_url, stack.admin_key)
    terminal.step("organisation, project, API key and credit")
    async with api_client(stack.gateway_url, tenant.api_key) as client:
        agent = await ensure_agent(client)
        terminal.step(f"agent {agent['name']!r}, built-in speech and a script")
        number = await ensure_number(client)
        await assign(client, number["id"], agent["id"])
        terminal.step(f"PATCH /v1/chat/phone-numbers/{number['id']}: the agent answers {NUMBER}")
        await wait_until_active(client, number["id"])
        terminal.step("LiveKit holds the number: it can be called")
    return tenant, agent, number


async def wait_until_active(client: ApiClient, number_id: str) -> None:
    """Return once calls to the number can arrive.

    Raises:
        DemoFailed: They cannot, or not in time; with the API's own reason.
    """
    deadline = time.monotonic() + NUMBER_TIMEOUT_S
    while True:
        number = await client.get(f"/v1/chat/phone-numbers/{number_id}")
        if number["status"] == "active":
            return
        if number["status"] == "conflict" or time.monotonic() > deadline:
            reason = number["statusReason"] or "no reason was given"
            raise DemoFailed(f"The number is {number['status']}: {reason}")
        await asyncio.sleep(POLL_S)


async def place_call(stack: Stack, agent: dict[str, Any], terminal: Terminal) -> Conversation:
    """Call the demo's number and hold the demo's conversation.

    Raises:
        DemoFailed: The call was not answered.
    """
    try:
        async with dialled(stack.sip_address, NUMBER, from_number=CALLER) as call:
            caller = Caller(call, sentences_of(agent), terminal.line, puzzled=puzzled(agent))
            return await caller.converse(ACTIONS, stays_s=HANG_UP_TIMEOUT_S)
    except CallFailed as exc:
        tail = log_tail(stack.logs / "worker.log")
        raise DemoFailed(f"The call was not answered: {exc}\nThe worker's log:\n{tail}") from exc


async def pass_a_call_on(client: ApiClient, stack: Stack, terminal: Terminal) -> None:
    """Place a call that is passed on to a person, and show both legs.

    Raises:
        DemoFailed: Somebody did not hear what they should have.
    """
    terminal.heading("A warm transfer: the caller waits, the person at the desk is asked first")
    async with Softphone() as desk:
        number = await demo_transfer.prepare(client, desk.uri("desk"))
        await wait_until_active(client, number["id"])
        placed_at = datetime.now(UTC)
        await WarmTransfer(stack.sip_address, desk, terminal).run()
    call = await find_record(client, stack, placed_at, demo_transfer.NUMBER)
    terminal.heading(f"The record: GET /v1/calls/{call['id']}")
    show_legs(call, terminal)
    refuse_failure(call)


async def find_record(
    client: ApiClient, stack: Stack, placed_at: datetime, number: str
) -> dict[str, Any]:
    """Return the finished record of a call to a number.

    Raises:
        DemoFailed: There is none in time.
    """
    since = (placed_at - CLOCK_SLACK).isoformat()
    deadline = time.monotonic() + RECORD_TIMEOUT_S
    while time.monotonic() < deadline:
        calls = await client.get("/v1/calls", number=number, state="ended", **{"from": since})
        if calls["data"]:
            return await client.get(f"/v1/calls/{calls['data'][0]['id']}")
        await asyncio.sleep(POLL_S)
    tail = log_tail(stack.logs / "dispatch.log")
    raise DemoFailed(f"The call is not on record.\nThe log of dispatch:\n{tail}")


def refuse_silence(conversation: Conversation, stack: Stack) -> None:
    """Do nothing when the agent spoke and ended the call as its script says.

    Raises:
        DemoFailed: It was silent somewhere, or the caller had to hang up.
    """
    silent = [line.text for line in conversation.lines if "[nothing" in line.text]
    if silent or not conversation.ended_by_agent:
        fault = "The agent fell silent." if silent else "The agent did not end the call."
        tail = log_tail(stack.logs / "worker.log")
        raise DemoFailed(f"{fault}\nThe worker's log:\n{tail}")


def show_record(call: dict[str, Any], terminal: Terminal) -> None:
    """Print the call's record and how the agent understood it."""
    terminal.heading(f"The record: GET /v1/calls/{call['id']}")
    terminal.record(call)
    for turn in call["transcript"]:
        terminal.fact(f"  transcript: {turn['speaker']}", turn["text"])
    total = sum(entry["amountMicrocredits"] for entry in call["ledger"])
    terminal.fact("the ledger adds up to", in_credits(total))


def where_next(settings: StackSettings, terminal: Terminal) -> None:
    """Print what to try after the demo."""
    terminal.success("Real SIP calls were answered and passed on; everything is stopped again.")
    terminal.fact("keep it running", f"make up   (writes {settings.var / FILE_NAME})")
    terminal.fact("call it yourself", f'{COMMAND} call {NUMBER} --say "opening hours" --press 2')
    terminal.fact("why (not) answered", f"{COMMAND} explain {NUMBER}")
    terminal.fact("the API", "/docs of the gateway's URL")
    terminal.fact("how it works", "docs/architecture.md")
