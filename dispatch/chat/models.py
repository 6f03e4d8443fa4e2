"""Whose model answers in a chat: the agent's script, or a server that speaks OpenAI's protocol."""

from typing import Any, Final

import httpx2
import openai

from dispatch.agent_profile import AgentProfile, PipelineMode
from dispatch.chat.openai_model import OpenAIModel
from dispatch.chat.script_model import ScriptModel
from dispatch.chat.text_model import TextModel
from dispatch.conversations import Conversation
from dispatch.errors import ModelUnavailable
from dispatch.secrets.call_secrets import CallSecrets

OPENAI_URL: Final = "https://api.openai.com/v1"

_TIMEOUT: Final = httpx2.Timeout(30.0, connect=5.0)
"""Longest silence of a server, before its answer and within it."""

_ATTEMPTS: Final = 2


class ChatModels:
    """Models by the choice in agents' profiles, with the keys of their projects.

    Args:
        secrets: Where the keys are.
        transport: How servers are reached; httpx's own way when not given.
    """

    def __init__(
        self, secrets: CallSecrets, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._secrets = secrets
        # One pool of connections for all tenants: keys travel in headers, per request.
        self._http = httpx2.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False)

    async def model_of(self, conversation: Conversation) -> TextModel:
        """Return the model of a conversation's agent, ready to be asked.

        Raises:
            ModelUnavailable: The project has no key for it, or it is none for chats.
            StoreUnavailable: The keys cannot be read now.
            SecretUnreadable: The key does not open.
        """
        agent = conversation.agent
        choice = agent.models.llm
        if agent.voice_enabled and agent.voice_pipeline_mode is PipelineMode.STS:
            raise ModelUnavailable("The agent speaks by a realtime model, which cannot chat.")
        match choice.provider:
            case "builtin":
                return ScriptModel(agent.script)
            case "openai":
                return await self._openai(agent)
            case _:
                raise ModelUnavailable(f"The provider {choice.provider} has no model for chats.")

    async def aclose(self) -> None:
        """Close every connection to a server."""
        await self._http.aclose()

    async def _openai(self, agent: AgentProfile) -> OpenAIModel:
        choice = agent.models.llm
        values = await self._secrets.for_call(agent.project_id, choice.provider)
        key = values.get("api_key")
        if key is None and choice.base_url is None:
            raise ModelUnavailable(
                f"The project keeps no api_key for {choice.provider}; put one into its secrets."
            )
        client = openai.AsyncOpenAI(
            # Servers of one's own often want none, but the header is always sent.
            api_key=key or "none",
            base_url=choice.base_url or OPENAI_URL,
            http_client=self._http,
            max_retries=_ATTEMPTS - 1,
        )
        params: dict[str, Any] = dict(choice.params)
        return OpenAIModel(
            client, provider=choice.provider, name=choice.model, params=params, own_key=True
        )
