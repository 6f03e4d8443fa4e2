"""The agent looks something up in its knowledge bases."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from livekit.agents import ToolError, function_tool
from livekit.agents.llm import RawFunctionTool

from dispatch.agent_profile import AgentProfile
from dispatch.billing.items import UsageItem
from dispatch.knowledge.answering import TOOL_SCHEMA, LookUp


def search_knowledge_tools(
    profile: AgentProfile,
    look_up: Callable[[AgentProfile, object], Awaitable[LookUp]],
    count: Callable[[Sequence[UsageItem]], None],
) -> list[RawFunctionTool[..., Any]]:
    """Return the tool `search_knowledge`, if the agent has knowledge bases.

    Args:
        profile: The agent.
        look_up: Searches its knowledge bases; while they are down it says so and the call goes on.
        count: Told what each look-up took.
    """
    if not profile.knowledge_base_ids:
        return []

    @function_tool(raw_schema=dict(TOOL_SCHEMA))
    async def search_knowledge(raw_arguments: dict[str, object]) -> str:
        found = await look_up(profile, raw_arguments.get("query"))
        count(found.used)
        if found.failed:
            raise ToolError(found.text)
        return found.text

    return [search_knowledge]
