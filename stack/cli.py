"""The command line: `dialplane up`, `demo`, `call` and `explain`."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from pydantic import ValidationError

from stack.api_client import api_client
from stack.conversation import Action, Caller, Press, Say, dialled
from stack.demo import run_demo, set_up
from stack.demo_agent import CALLER, sentences_of
from stack.env_file import read_env_file, remove_env_file, write_env_file
from stack.errors import ApiRefused, StackError
from stack.settings import StackSettings
from stack.supervisor import Stack, running_stack
from stack.terminal import Terminal
from telephony.dtmf import InvalidDtmf, plan_dtmf
from telephony.e164 import E164, parse_dialled
from telephony.errors import InvalidNumber
from telephony.softphone.errors import CallFailed

INTERRUPTED = 130
NOT_FOUND = 404

app = typer.Typer(
    help="AI agents on phone numbers: run them here, call them, see why a number is answered.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def demo() -> None:
    """Start everything, place one real call, show it and its record, stop everything."""
    run(run_demo(chosen_settings(), Terminal()))


@app.command()
def up() -> None:
    """Keep the whole stack running until Ctrl-C; its data survives."""
    run(keep_up(chosen_settings(), Terminal()), stopped_by_hand=0)


@app.command()
def call(
    number: Annotated[str, typer.Argument(help="Number to call, such as +12015550100.")],
    say: Annotated[list[str] | None, typer.Option(help="Words the caller says.")] = None,
    press: Annotated[list[str] | None, typer.Option(help="Keys the caller presses.")] = None,
    caller: Annotated[str, typer.Option(help="Number the call comes from.")] = CALLER,
) -> None:
    """Place a real SIP call and print what was heard and how quickly.

    --say and --press may be repeated; they happen in the order they are written.
    """
    del say, press  # Declared for the help; their common order is only in the arguments.
    run(place(number, ordered_actions(sys.argv[1:]), caller, chosen_settings().var, Terminal()))


@app.command()
def explain(
    number: Annotated[str, typer.Argument(help="Number to explain, such as +12015550100.")],
) -> None:
    """Tell whether a call to the number would be answered now, and if not, why."""
    if not run(explain_number(number, chosen_settings().var, Terminal())):
        raise typer.Exit(1)


def chosen_settings() -> StackSettings:
    """Return what the environment says about the stack; a mistake ends the program."""
    try:
        return StackSettings()
    except ValidationError as exc:
        mistakes = [
            f"DIALPLANE_{str(one['loc'][0]).upper()}: {one['msg']}." for one in exc.errors()
        ]
        Terminal().failure(" ".join(mistakes))
        raise typer.Exit(1) from exc


def run(work: Coroutine[Any, Any, Any], *, stopped_by_hand: int = INTERRUPTED) -> Any:
    """Run a command to its end, or to Ctrl-C or SIGTERM; errors end the program with a sentence.

    Args:
        work: The command.
        stopped_by_hand: Exit code when it is interrupted.
    """
    try:
        return asyncio.run(interruptible(work))
    except StackError as exc:
        Terminal().failure(str(exc))
        raise typer.Exit(1) from exc
    except (asyncio.CancelledError, KeyboardInterrupt) as exc:
        raise typer.Exit(stopped_by_hand) from exc


async def interruptible(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a command so that SIGINT and SIGTERM cancel it, which stops what it started in order."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    return await task


async def keep_up(settings: StackSettings, terminal: Terminal) -> None:
    """Run the stack with the demo's tenant until it is cancelled or a part dies."""
    terminal.heading("Starting")
    async with running_stack(settings, say=terminal.step, until_ready=False) as stack:
        tenant, agent, number = await set_up(stack, terminal)
        await stack.wait_ready()
        values = environment_of(stack, tenant.api_key, number["number"], agent["id"])
        path = write_env_file(stack.var, values)
        terminal.heading(f"Running; also in {path}")
        for name, value in values.items():
            terminal.fact(name, value)
        terminal.fact("any softphone", f"sip:{number['number']}@{stack.sip_address}")
        terminal.fact("logs", str(stack.logs))
        terminal.success("Ctrl-C stops it.")
        try:
            await stack.watch()
        finally:
            remove_env_file(stack.var)
            terminal.heading("Stopping")


def environment_of(stack: Stack, api_key: str, number: str, agent_id: str) -> dict[str, str]:
    """Return where the stack is, by the names users know from `var/stack.env`."""
    return {
        "DIALPLANE_URL": stack.gateway_url,
        "DIALPLANE_API_KEY": api_key,
        "DIALPLANE_ADMIN_KEY": stack.admin_key,
        "DIALPLANE_SIP_ADDRESS": stack.sip_address,
        "DIALPLANE_NUMBER": number,
        "DIALPLANE_AGENT_ID": agent_id,
        "LIVEKIT_URL": stack.livekit_url,
        "LIVEKIT_API_KEY": stack.livekit_api_key,
        "LIVEKIT_API_SECRET": stack.livekit_api_secret,
        "REDIS_URL": stack.redis_url,
        "DATABASE_URL": stack.database_url,
    }


def ordered_actions(arguments: Sequence[str]) -> list[Action]:
    """Return what the caller does, in the order of the command line.

    Raises:
        typer.BadParameter: Something to press is not a key, or there is nothing to say.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--say", dest="actions", type=Say, action="append", default=[])
    parser.add_argument("--press", dest="actions", type=Press, action="append")
    actions: list[Action] = parser.parse_known_args(arguments)[0].actions
    for action in actions:
        match action:
            case Press(keys):
                try:
                    plan_dtmf(keys)
                except InvalidDtmf as exc:
                    raise typer.BadParameter(str(exc), param_hint="--press") from exc
            case Say(text) if not text.strip():
                raise typer.BadParameter("there is nothing to say", param_hint="--say")
    return actions


def number_of(text: str) -> E164:
    """Return the number that somebody wrote, with or without its plus.

    Raises:
        StackError: It is none.
    """
    try:
        return parse_dialled(text)
    except InvalidNumber as exc:
        raise StackError(f"'{text}' cannot be called. {exc}") from exc


async def place(
    number: str, actions: Sequence[Action], caller: str, var: Path, terminal: Terminal
) -> None:
    """Call a number of the running stack and print the conversation and its timings.

    Raises:
        StackError: No stack runs, that is no number, or the call was not answered.
    """
    env = read_env_file(var)
    sentences = await known_sentences(env, number_of(number))
    address = env["DIALPLANE_SIP_ADDRESS"]
    terminal.heading(f"Calling sip:{number}@{address}")
    try:
        async with dialled(address, number, from_number=caller) as call:
            conversation = await Caller(call, sentences, terminal.line).converse(actions)
    except CallFailed as exc:
        failure = str(exc)
        raise StackError(
            f"{failure[:1].upper()}{failure[1:]}. `dialplane explain {number}` says why."
        ) from exc
    terminal.timings(conversation)


async def known_sentences(env: dict[str, str], number: E164) -> list[str]:
    """Return what the agent of a number may say; empty when the number is not the tenant's."""
    async with api_client(env["DIALPLANE_URL"], env["DIALPLANE_API_KEY"]) as client:
        found = (await client.get("/v1/chat/phone-numbers", number=number))["data"]
        if not found or not found[0]["agentId"]:
            return []
        return sentences_of(await client.get(f"/v1/agents/{found[0]['agentId']}"))


async def explain_number(number: str, var: Path, terminal: Terminal) -> bool:
    """Print every condition of an answered call to a number; return whether all hold.

    Raises:
        StackError: No stack runs, or that is no number.
    """
    env = read_env_file(var)
    wanted = number_of(number)
    async with api_client(env["DIALPLANE_URL"], env["DIALPLANE_API_KEY"]) as client:
        try:
            answer = await client.get(f"/v1/phone-numbers/{quote(wanted, safe='')}/explain")
        except ApiRefused as exc:
            if exc.status != NOT_FOUND:
                raise
            terminal.failure(f"Nobody would answer: {wanted} is not a number of this project.")
            return False
    terminal.heading(f"If someone rang {answer['number']} now")
    for step in answer["steps"]:
        terminal.check(passed=step["passed"], name=step["name"], sentence=step["sentence"])
    would_be_answered: bool = answer["wouldBeAnswered"]
    if would_be_answered:
        terminal.success(answer["sentence"])
    else:
        terminal.failure(answer["sentence"])
    return would_be_answered
