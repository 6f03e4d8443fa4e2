"""Handing a conversation over to another agent of the project, as its agent may ask for.

Source: TalkifAI's sub-agents, which its page "Send Message" announces by the event `handoff`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from dispatch.agent_profile import AgentProfile, PipelineMode
from dispatch.chat.sessions import greeting_of
from dispatch.chat.text_model import FunctionTool
from dispatch.chat.tools import Takeover, ToolOutcome
from dispatch.conversations import Conversation
from dispatch.store.engine import Database
from dispatch.store.repositories import agents, tools

HANDOFF: Final = "handoff"


async def handoff_tools(database: Database, conversation: Conversation) -> list["HandoffTool"]:
    """Return the tool `handoff`, if there is an agent that could take the conversation over."""
    ids = list(dict.fromkeys(conversation.agent.handoff_agent_ids))
    if not ids:
        return []
    async with database.reading() as db:
        named = await agents.find_agents(db, conversation.project_id, ids)
        able = await tools.with_tools(db, [agent for agent in named if _can_chat(agent)])
    return [HandoffTool(conversation, able)] if able else []


class HandoffTool:
    """The tool `handoff`: the other agent goes on from the next message.

    Args:
        conversation: What is handed over.
        able: To whom it may be, ready to take it.
    """

    def __init__(self, conversation: Conversation, able: Sequence[AgentProfile]) -> None:
        self._conversation = conversation
        self._able = {_told_apart(agent, able): agent for agent in able}
        listed = "\n".join(
            f"- {name}: {agent.role or agent.description}" for name, agent in self._able.items()
        )
        self.spec = FunctionTool(
            name=HANDOFF,
            description=f"Hand the conversation over to another agent, for good:\n{listed}",
            parameters={
                "type": "object",
                "properties": {"agent": {"type": "string", "enum": list(self._able)}},
                "required": ["agent"],
                "additionalProperties": False,
            },
        )

    async def run(self, arguments: dict[str, Any]) -> ToolOutcome:
        """Hand over, or say why not."""
        name = arguments.get("agent")
        agent = self._able.get(name) if isinstance(name, str) else None
        if agent is None:
            return ToolOutcome("There is no such agent to hand over to.", failed=True)
        greeting = greeting_of(replace(self._conversation, agent=agent)) or ""
        takeover = Takeover(self._conversation.agent.name, agent, greeting)
        return ToolOutcome(f"{name} goes on with the conversation.", takeover=takeover)


def _can_chat(agent: AgentProfile) -> bool:
    by_realtime = agent.voice_enabled and agent.voice_pipeline_mode is PipelineMode.STS
    return agent.is_active and not by_realtime


def _told_apart(agent: AgentProfile, among: Sequence[AgentProfile]) -> str:
    """Return an agent's name, with some of its id when another has the same."""
    alone = sum(each.name == agent.name for each in among) == 1
    return agent.name if alone else f"{agent.name} ({agent.agent_id.hex[:8]})"
