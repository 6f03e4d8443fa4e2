"""The agent hangs up, after its goodbye was heard in full."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from livekit.agents import RunContext, StopResponse, function_tool
from livekit.agents.llm import FunctionTool

from worker.ending import AGENT_HUNG_UP, Ending

logger = logging.getLogger(__name__)

LONGEST_GOODBYE_S: Final = 60.0


def end_call_tool(
    ending: Ending,
    hang_up: Callable[[], Awaitable[None]],
    longest_goodbye_s: float = LONGEST_GOODBYE_S,
) -> FunctionTool[..., Any]:
    """Return the tool `end_call` of one call.

    What the agent says beside calling it is its goodbye: from then on the caller cannot interrupt,
    and the line goes down when the last word has been heard.

    Args:
        ending: Where the end is decided.
        hang_up: Lets the last audio reach the caller, then lets the call be over.
        longest_goodbye_s: After this the line goes down even if the goodbye was not heard. No other
            limit ends a call whose end is decided.
    """

    @function_tool(
        name="end_call",
        description=(
            "Hang up. Say goodbye in the same turn. Use it only when the caller is done;"
            " nothing can follow."
        ),
    )
    async def end_call(context: RunContext[Any]) -> None:
        context.disallow_interruptions()
        if not ending.decide(AGENT_HUNG_UP):
            raise StopResponse
        try:
            async with asyncio.timeout(longest_goodbye_s):
                await context.wait_for_playout()
        except TimeoutError:
            logger.warning("goodbye took too long")
        finally:
            await hang_up()
        raise StopResponse

    return end_call
