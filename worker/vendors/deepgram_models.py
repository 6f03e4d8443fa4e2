"""Deepgram's models: recognition and speech over its streaming protocols."""

from typing import Any, Final, get_args

import aiohttp
from livekit.agents import stt, tts
from livekit.plugins import deepgram
from livekit.plugins.deepgram.models import DeepgramLanguages

from dispatch.models.catalogue import primary_subtag
from dispatch.models.choices import SttChoice, TtsChoice
from worker.vendors.account import Account

_BASE_URL: Final = "https://api.deepgram.com/v1"
_LANGUAGES: Final = frozenset(get_args(DeepgramLanguages))


def build_stt(
    choice: SttChoice, account: Account, language: str, session: aiohttp.ClientSession | None
) -> stt.STT[Any]:
    """Return the recognition; words arrive while the caller speaks."""
    params: dict[str, Any] = dict(choice.params)
    return deepgram.STT(
        model=choice.model,
        # A tag that Deepgram does not list is understood by its language alone.
        language=language if language in _LANGUAGES else primary_subtag(language),
        api_key=account.key,
        base_url=_url(account, "listen"),
        http_session=session,
        **params,
    )


def build_tts(
    choice: TtsChoice, account: Account, session: aiohttp.ClientSession | None
) -> tts.TTS[Any]:
    """Return the speech. Deepgram calls a voice a model: `aura-2-thalia-en`."""
    params: dict[str, Any] = dict(choice.params)
    return deepgram.TTS(
        model=choice.voice,
        api_key=account.key,
        base_url=_url(account, "speak"),
        http_session=session,
        **params,
    )


def _url(account: Account, endpoint: str) -> str:
    return f"{(account.base_url or _BASE_URL).rstrip('/')}/{endpoint}"
