"""The models of vendors that one call uses, opened and closed with it."""

import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Self

import aiohttp
import openai
from livekit.agents import APIConnectOptions, llm, stt, tts

from dispatch.models.choices import LlmChoice, ModelChoice, RealtimeChoice, SttChoice, TtsChoice
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.model_servers import model_server_client
from worker.vendors import deepgram_models, openai_models
from worker.vendors.account import (
    Account,
    ModelUnavailableError,
    Realtime,
    account_of,
    failure_of,
    guarded_session,
)


class Vendors:
    """Builds the models of a call; as a context manager it closes what they hold.

    Args:
        project_id: Whose keys are used.
        secrets: Where those are.
        allowed: Hosts that may be reached although they are not public.
    """

    def __init__(self, project_id: uuid.UUID, secrets: CallSecrets, allowed: AllowedHosts) -> None:
        self._project_id = project_id
        self._secrets = secrets
        self._allowed = allowed
        self._opened = AsyncExitStack()
        self._openai: openai.AsyncOpenAI | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def build_stt(self, choice: SttChoice, language: str) -> stt.STT[Any]:
        """Return a vendor's recognition.

        Raises:
            ModelUnavailableError: Its key is missing, or its server may not be reached. All
                of these raise it.
        """
        account = await self._account(choice)
        with _refusing_parameters(choice):
            if choice.provider == "deepgram":
                session = self._session(account)
                return deepgram_models.build_stt(choice, account, language, session)
            return openai_models.build_stt(choice, self._client(account), language)

    async def build_llm(self, choice: LlmChoice) -> llm.LLM[Any]:
        """Return a vendor's language model."""
        account = await self._account(choice)
        with _refusing_parameters(choice):
            return openai_models.build_llm(choice, self._client(account))

    async def build_tts(self, choice: TtsChoice) -> tts.TTS[Any]:
        """Return a vendor's speech."""
        account = await self._account(choice)
        with _refusing_parameters(choice):
            if choice.provider == "deepgram":
                return deepgram_models.build_tts(choice, account, self._session(account))
            return openai_models.build_tts(choice, self._client(account))

    async def build_realtime(
        self, choice: RealtimeChoice, conn_options: APIConnectOptions
    ) -> Realtime:
        """Return a vendor's speech to speech."""
        account = await self._account(choice)
        with _refusing_parameters(choice):
            session = self._session(account)
            return openai_models.build_realtime(choice, account, conn_options, session)

    async def _account(self, choice: ModelChoice) -> Account:
        return await account_of(choice, self._project_id, self._secrets, self._allowed)

    def _session(self, account: Account) -> aiohttp.ClientSession | None:
        session = guarded_session(account, self._allowed)
        if session is not None:
            self._opened.push_async_callback(session.close)
        return session

    def _client(self, account: Account) -> openai.AsyncOpenAI:
        if self._openai is None:
            self._openai = model_server_client(self._allowed)
            self._opened.push_async_callback(self._openai.close)
        return openai_models.client_of(self._openai, account)


@contextmanager
def _refusing_parameters(choice: ModelChoice) -> Iterator[None]:
    """Name the model whose plugin refuses a combination of parameters that our rules let pass."""
    try:
        yield
    except (TypeError, ValueError) as exc:
        reason = "The model does not take the parameters it is given."
        raise ModelUnavailableError(failure_of(choice, reason)) from exc
