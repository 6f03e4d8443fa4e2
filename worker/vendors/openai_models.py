"""OpenAI's models, and those of every server that speaks its protocols."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import openai as openai_client
from livekit.agents import APIConnectOptions, APIError, llm, stt, tts
from livekit.plugins import openai

from dispatch.models.catalogue import primary_subtag
from dispatch.models.choices import LlmChoice, RealtimeChoice, SttChoice, TtsChoice
from dispatch.tools.model_servers import OPENAI_URL
from worker.vendors.account import Account, Realtime


class _Session(openai.realtime.RealtimeSession):
    """A realtime session that can still be closed when it has failed."""

    async def aclose(self) -> None:
        """Close it; why it failed was told when it did, and is not raised once more."""
        with contextlib.suppress(APIError):
            await super().aclose()


class _RealtimeModel(openai.realtime.RealtimeModel):
    """A realtime model from whose failure, or silence, a conversation can go on."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.answered = asyncio.Event()

    def session(self, *, turn_detection_disabled: bool = False) -> openai.realtime.RealtimeSession:
        """Return a new session."""
        session = _Session(self, turn_detection_disabled=turn_detection_disabled)
        session.on("openai_server_event_received", lambda _event: self.answered.set())
        return session


def client_of(shared: openai_client.AsyncOpenAI, account: Account) -> openai_client.AsyncOpenAI:
    """Return a client with the account's key and server; its connections are the shared one's."""
    client = shared.with_options(api_key=account.key, max_retries=0)
    return client if account.base_url is None else client.with_options(base_url=account.base_url)


def build_stt(choice: SttChoice, client: openai_client.AsyncOpenAI, language: str) -> stt.STT[Any]:
    """Return the recognition; it hears an utterance when the caller has finished it."""
    params: dict[str, Any] = dict(choice.params)
    return openai.STT(
        model=choice.model, language=primary_subtag(language), client=client, **params
    )


def build_llm(choice: LlmChoice, client: openai_client.AsyncOpenAI) -> llm.LLM[Any]:
    """Return the language model."""
    params: dict[str, Any] = dict(choice.params)
    return openai.LLM(model=choice.model, client=client, **params)


def build_tts(choice: TtsChoice, client: openai_client.AsyncOpenAI) -> tts.TTS[Any]:
    """Return the speech, as plain samples: no decoder stands between vendor and caller."""
    params: dict[str, Any] = dict(choice.params)
    return openai.TTS(
        model=choice.model, voice=choice.voice, client=client, response_format="pcm", **params
    )


def build_realtime(
    choice: RealtimeChoice,
    account: Account,
    conn_options: APIConnectOptions,
    session: aiohttp.ClientSession | None,
) -> Realtime:
    """Return the model that listens, thinks and speaks in one."""
    params: dict[str, Any] = dict(choice.params)
    model = _RealtimeModel(
        model=choice.model,
        voice=choice.voice,
        api_key=account.key,
        # Named in any case, or the environment would be asked where the tenant's key is sent to.
        base_url=account.base_url or OPENAI_URL,
        conn_options=conn_options,
        http_session=session,
        **params,
    )
    return Realtime(model, model.answered)
