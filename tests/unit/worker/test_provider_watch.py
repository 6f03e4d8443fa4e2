"""Whose fault it is when a model lets a call down."""

import asyncio
import types
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    ErrorEvent,
)
from livekit.agents.llm import LLMError, RealtimeModelError

from dispatch.calls import ProviderFailure
from tests.builders.live_calls import Tenant
from worker import provider_watch
from worker.provider_watch import ProviderWatch, reason_of

pytestmark = pytest.mark.unit

CLOUD = {
    "stt": {"provider": "deepgram"},
    "llm": {"provider": "openai", "model": "gpt-4.1"},
    "tts": {"provider": "openai"},
    "realtime": {},
}


class Handshake(Exception):
    """A refused handshake of a web socket."""

    def __init__(self, status: int) -> None:
        super().__init__("refused")
        self.status = status


class Desk:
    """A session that only has events, watched."""

    def __init__(self, **models: Any) -> None:
        self.told: list[ProviderFailure] = []
        self.session: Any = rtc.EventEmitter[Any]()
        self.watch = ProviderWatch(Tenant().agent(models=models or CLOUD), self.told.append)
        self.watch.listen(self.session)

    def unheard(self, speech_s: float) -> None:
        self.session.emit(
            "user_transcription_timeout", types.SimpleNamespace(speech_duration=speech_s)
        )


def connection_error(cause: Exception) -> APIConnectionError:
    error = APIConnectionError("lost")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            APIStatusError("Bad key sk-123", status_code=401),
            "The provider refused the API key. It answered with HTTP 401.",
        ),
        (APIStatusError("busy", status_code=503), "The provider answered with HTTP 503."),
        (APITimeoutError(), "The provider did not answer in time."),
        (TimeoutError(), "The provider did not answer in time."),
        (
            connection_error(Handshake(401)),
            "The provider refused the API key. It answered with HTTP 401.",
        ),
        (
            connection_error(OSError("no route")),
            "The provider could not be reached, or broke the connection.",
        ),
        (APIError("She said: my card is 4111"), "The provider's answer could not be used."),
    ],
)
def test_an_error_becomes_a_sentence_without_the_vendors_own_words(
    error: BaseException, reason: str
) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("make", "service", "provider", "model"),
    [
        (LLMError, "llm", "openai", "gpt-4.1"),
        (RealtimeModelError, "realtime", "openai", "gpt-realtime"),
    ],
)
def test_a_final_error_names_the_agents_model_and_leaves_the_session_open(
    make: Any, service: str, provider: str, model: str
) -> None:
    desk = Desk()
    error = make(timestamp=0, label="x", error=APITimeoutError(), recoverable=False)
    desk.session.emit("error", ErrorEvent(error=error, source=None))
    [failure] = desk.told
    assert (failure.service, failure.provider, failure.model) == (service, provider, model)
    assert error.recoverable


def test_an_error_that_is_repaired_is_not_told() -> None:
    desk = Desk()
    error = LLMError(timestamp=0, label="x", error=APITimeoutError(), recoverable=True)
    desk.session.emit("error", ErrorEvent(error=error, source=None))
    assert desk.told == []


def test_two_long_stretches_of_speech_without_a_word_are_the_recognitions_fault() -> None:
    desk = Desk()
    desk.unheard(2.0)
    desk.unheard(0.1)
    assert desk.told == []
    desk.unheard(1.5)
    assert [failure.service for failure in desk.told] == ["stt"]


def test_a_word_in_between_starts_the_count_again() -> None:
    desk = Desk()
    desk.unheard(2.0)
    desk.session.emit("user_input_transcribed", types.SimpleNamespace())
    desk.unheard(2.0)
    assert desk.told == []


def test_the_builtin_recognition_may_understand_nothing() -> None:
    desk = Desk(llm={"provider": "openai"})
    desk.unheard(2.0)
    desk.unheard(2.0)
    assert desk.told == []


async def test_a_realtime_server_that_never_speaks_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provider_watch, "FIRST_WORD_S", 0.01)
    desk = Desk()
    spoke = asyncio.Event()
    await desk.watch.expect(spoke)
    spoke.set()
    await desk.watch.expect(spoke)
    assert [failure.service for failure in desk.told] == ["realtime"]
