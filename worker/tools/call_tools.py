"""What an agent may do with the call itself, as its profile allows."""

from collections.abc import Awaitable
from typing import Any, Protocol

from livekit.agents import llm
from livekit.agents.llm import FunctionTool, RawFunctionTool

from dispatch.agent_profile import AgentProfile
from worker.ending import Ending
from worker.gather import Gathered, GatherPlan
from worker.held_keys import HeldKeys
from worker.tools.end_call import end_call_tool
from worker.tools.keys import Presses, gather_keys_tool, press_keys_tool
from worker.tools.transfer_call import Passes, transfer_tools


class Controls(Passes, Presses, Protocol):
    """The part of call control that tools use."""


class Talks(Protocol):
    """The part of a conversation that tools use."""

    async def hang_up(self) -> None:
        """Let the last audio reach the caller, then let the call be over."""
        ...

    def gather(self, plan: GatherPlan) -> Awaitable[Gathered]:
        """Ask the caller for keys."""
        ...


def call_tools(
    profile: AgentProfile, control: Controls, talk: Talks, ending: Ending, held: HeldKeys
) -> list[llm.Tool]:
    """Return the tools that the profile allows; one it does not allow is not there at all.

    Args:
        profile: The agent.
        control: Acts on the call.
        talk: The conversation.
        ending: Where the end of the call is decided.
        held: Keeps what the caller keys in.
    """
    tools: list[FunctionTool[..., Any] | RawFunctionTool[..., Any]] = [
        end_call_tool(ending, talk.hang_up),
        gather_keys_tool(talk.gather, held),
        press_keys_tool(control, held),
        *transfer_tools(control, profile.transfer),
    ]
    return [tool for tool in tools if tool.info.name in profile.tools_allowed]
