"""The tools that an agent's profile names, as a chat runs them."""

import functools
from collections.abc import Sequence
from typing import Any

from dispatch.chat.handoffs import handoff_tools
from dispatch.chat.text_model import FunctionTool
from dispatch.chat.tools import ChatTool, ToolOutcome
from dispatch.conversations import Conversation
from dispatch.knowledge.answering import TOOL_SCHEMA, look_up
from dispatch.knowledge.charging import EmbeddingCharges
from dispatch.knowledge.search import KnowledgeSearch
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.store.engine import Database
from dispatch.tool_definition import ToolDefinition
from dispatch.tools.runner import HttpToolRunner, SecretsOf
from dispatch.usage.usage import Payer, UsageSource


class AgentTools:
    """Tools of agents, with the secrets of their projects.

    Args:
        database: Where the agents are that a chat may be handed over to.
        runner: Makes their requests.
        secrets: Where the values of their headers are.
        search: Searches agents' knowledge bases.
        charges: Who pays for that.
    """

    def __init__(
        self,
        database: Database,
        runner: HttpToolRunner,
        secrets: CallSecrets,
        search: KnowledgeSearch,
        charges: EmbeddingCharges,
    ) -> None:
        self._database = database
        self._runner = runner
        self._secrets = secrets
        self._search = search
        self._charges = charges

    async def aclose(self) -> None:
        """Close the tools' connections."""
        await self._runner.aclose()

    async def tools_of(self, conversation: Conversation) -> Sequence[ChatTool]:
        """Return the tools of a conversation's agent, ready to run."""
        agent = conversation.agent
        secrets = functools.partial(self._secrets.for_call, agent.project_id)
        tools: list[ChatTool] = [_HttpTool(tool, self._runner, secrets) for tool in agent.tools]
        if agent.knowledge_base_ids:
            tools.append(_SearchKnowledge(conversation, self._search, self._charges))
        return [*tools, *await handoff_tools(self._database, conversation)]


class _HttpTool:
    """A request that the tenant defined."""

    def __init__(self, tool: ToolDefinition, runner: HttpToolRunner, secrets: SecretsOf) -> None:
        self._tool = tool
        self._runner = runner
        self._secrets = secrets
        self.spec = FunctionTool(tool.name, tool.description, dict(tool.parameters))

    async def run(self, arguments: dict[str, Any]) -> ToolOutcome:
        """Make the request; the runner says what went wrong."""
        result = await self._runner.run(self._tool, arguments, self._secrets)
        return ToolOutcome(result.text, failed=result.is_error)


class _SearchKnowledge:
    """A search in the agent's knowledge bases."""

    spec = FunctionTool(
        TOOL_SCHEMA["name"], TOOL_SCHEMA["description"], dict(TOOL_SCHEMA["parameters"])
    )

    def __init__(
        self, conversation: Conversation, search: KnowledgeSearch, charges: EmbeddingCharges
    ) -> None:
        self._agent = conversation.agent
        self._search = search
        self._charges = charges

    async def run(self, arguments: dict[str, Any]) -> ToolOutcome:
        """Search."""
        agent = self._agent
        found = await look_up(self._search, agent, arguments.get("query"))
        payer = Payer(agent.organization_id, agent.project_id, agent.agent_id)
        await self._charges.charge_question(payer, UsageSource.CHAT, found.used)
        return ToolOutcome(found.text, failed=found.failed)
