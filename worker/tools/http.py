"""An agent's HTTP tools in a call."""

import asyncio
from collections.abc import Iterable
from typing import Any

from livekit.agents import StopResponse, ToolError, function_tool
from livekit.agents.llm import RawFunctionTool

from dispatch.tool_definition import ToolDefinition
from dispatch.tools.results import ToolResult
from dispatch.tools.runner import HttpToolRunner, SecretsOf
from worker.ending import Ending
from worker.held_keys import HeldKeys


def http_tools(
    definitions: Iterable[ToolDefinition],
    runner: HttpToolRunner,
    secrets: SecretsOf,
    ending: Ending,
    held: HeldKeys,
) -> list[RawFunctionTool[..., Any]]:
    """Return the tools of one call.

    A caller who talks meanwhile is answered at once: the framework lets the tool finish beside it,
    puts its result on record and speaks of it if nothing else has been asked for.

    Args:
        definitions: The tools of the agent, from its snapshot.
        runner: Makes their requests.
        secrets: Where the project's secrets are.
        ending: The end of the call.
        held: What the caller has keyed in, given to tools that ask for it by name. What is
            sensitive of it is kept out of what they answer.
    """
    return [_http_tool(definition, runner, secrets, ending, held) for definition in definitions]


def _http_tool(
    definition: ToolDefinition,
    runner: HttpToolRunner,
    secrets: SecretsOf,
    ending: Ending,
    held: HeldKeys,
) -> RawFunctionTool[..., Any]:
    @function_tool(raw_schema=dict(definition.function_schema))
    async def call(raw_arguments: dict[str, object]) -> str:
        arguments = {name: held.filled(value) for name, value in raw_arguments.items()}
        running = asyncio.ensure_future(runner.run(definition, arguments, secrets))
        try:
            result = await (_while_on(running, ending) if definition.http.may_repeat else running)
        finally:
            running.cancel()
        if result.is_error:
            raise ToolError(held.masked(result.text))
        return held.masked(result.text)

    return call


async def _while_on(running: asyncio.Future[ToolResult], ending: Ending) -> ToolResult:
    """Wait for a tool whose answer only matters while somebody is on the line.

    One that may not be repeated changes something out there: its outcome is waited for, shortly,
    even when the call is over.
    """
    over = asyncio.ensure_future(ending.wait())
    either: tuple[asyncio.Future[Any], ...] = (running, over)
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        over.cancel()
    if not running.done():
        raise StopResponse
    return running.result()
