"""The agent on the line."""

from collections.abc import Sequence
from typing import Any

from livekit.agents import Agent
from livekit.agents.llm import FunctionTool

from dispatch.agent_profile import AgentProfile


class VoiceAgent(Agent):
    """An agent's profile, speaking: its instructions and the tools it may use in this call.

    It does not greet by itself: the greeting waits until the call is answered.
    """

    def __init__(self, profile: AgentProfile, tools: Sequence[FunctionTool[..., Any]]) -> None:
        super().__init__(instructions=profile.system_prompt, tools=list(tools))
        self.profile = profile
