"""Whose model answers in a chat: the agent's script, or a server that speaks OpenAI's protocol."""

from functools import partial
from typing import Any, Final

import openai

from dispatch.agent_profile import AgentProfile, PipelineMode
from dispatch.chat.openai_model import OpenAIModel
from dispatch.chat.script_model import ScriptModel
from dispatch.chat.sessions import variables_of
from dispatch.chat.text_model import TextModel
from dispatch.conversations import Conversation
from dispatch.errors import ModelUnavailable
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.tools.model_servers import NO_KEY

_RETRIES: Final = 1
"""Somebody is waiting."""


class ChatModels:
    """Models by the choice in agents' profiles, with the keys of their projects.

    Args:
        secrets: Where the keys are.
        client: The client that all tenants' requests are made from; its own key is never used.
    """

    def __init__(self, secrets: CallSecrets, client: openai.AsyncOpenAI) -> None:
        self._secrets = secrets
        self._client = client

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
                variables = variables_of(conversation)
                return ScriptModel(agent.script, partial(agent.filled, variables=variables))
            case "openai":
                return await self._openai(agent)
            case _:
                raise ModelUnavailable(f"The provider {choice.provider} has no model for chats.")

    async def _openai(self, agent: AgentProfile) -> OpenAIModel:
        choice = agent.models.llm
        values = await self._secrets.for_call(agent.project_id, choice.key_name or choice.provider)
        base_url = choice.base_url or values.get("base_url")
        key = values.get("api_key") or (NO_KEY if base_url else None)
        if key is None:
            raise ModelUnavailable(
                f"The project keeps no api_key for {choice.provider}; put one into its secrets."
            )
        client = self._client.with_options(api_key=key, max_retries=_RETRIES)
        if base_url is not None:
            client = client.with_options(base_url=base_url)
        params: dict[str, Any] = dict(choice.params)
        return OpenAIModel(
            client, provider=choice.provider, name=choice.model, params=params, own_key=True
        )
