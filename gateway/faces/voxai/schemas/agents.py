"""Bodies of agents."""

from typing import Literal, Self

from pydantic import Field

from dispatch.agent_profile import AgentSummary
from gateway.faces.voxai.schemas.base import Answer


class AgentAnswer(Answer):
    """An agent."""

    id: int = Field(description="The agent as a small number.", examples=[1])
    name: str = Field(examples=["Reception"])
    agent_type: Literal["voice", "text"]
    llm_provider: str = Field(examples=["openai"])
    llm_model: str = Field(examples=["gpt-4o"])
    is_active: bool

    @classmethod
    def of(cls, agent: AgentSummary) -> Self:
        """Return the answer for an agent."""
        return cls(
            id=agent.config_id,
            name=agent.name,
            agent_type="text" if agent.mode is None else "voice",
            llm_provider=agent.llm_provider,
            llm_model=agent.llm_model,
            is_active=agent.is_active,
        )


class AgentsAnswer(Answer):
    """The project's agents."""

    agents: list[AgentAnswer]
