"""Notices that a model's provider lets the call down, and says which one and why."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from livekit.agents import (
    AgentSession,
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ErrorEvent,
    UserInputTranscribedEvent,
)

from dispatch.agent_profile import AgentProfile
from dispatch.calls import ProviderFailure
from dispatch.models.choices import ModelChoice
from worker.vendors.account import failure_of

FIRST_WORD_S: Final = 8.0
"""From the start until the server of a realtime model must have spoken: it greets at once."""

_UNHEARD_MOST: Final = 2
"""So many stretches of speech without a word in a row are no coughs any more."""

_UNHEARD_SPEECH_S: Final = 0.8
"""Shorter sounds are often nothing that could be written down."""

_STATUS_SENTENCES: Final = {
    401: "The provider refused the API key.",
    402: "The provider wants to be paid.",
    403: "The provider refused the API key.",
    404: "The provider does not know the model, or the base URL is not its own.",
    429: "The provider limits this account's use.",
}

_SILENT: Final = "The provider did not answer in time."


class ProviderWatch:
    """Tells the failures of one conversation's models.

    Args:
        profile: The agent.
        tell: Called with each failure that the conversation cannot go on with.
    """

    def __init__(self, profile: AgentProfile, tell: Callable[[ProviderFailure], None]) -> None:
        self._models = profile.models
        self._tell = tell
        self._unheard = 0

    def listen(self, session: AgentSession[Any]) -> None:
        """Watch a session from now on."""
        session.on("error", self._on_error)
        session.on("user_input_transcribed", self._on_heard)
        session.on("user_transcription_timeout", self._on_unheard)

    async def expect(self, answered: asyncio.Event) -> None:
        """Give a realtime model's server some time to say its first word.

        Args:
            answered: Set when it has.
        """
        try:
            await asyncio.wait_for(answered.wait(), FIRST_WORD_S)
        except TimeoutError:
            self.silent("realtime")

    def silent(self, service: str) -> None:
        """Note that a model was asked and kept silent."""
        self._fail(service, _SILENT)

    def failed(self, service: str, error: BaseException) -> None:
        """Note that asking a model directly failed."""
        self._fail(service, reason_of(error))

    def _on_error(self, event: ErrorEvent) -> None:
        error = event.error
        if getattr(error, "recoverable", True):
            return
        # So the framework keeps the session, in which the caller can still be told.
        error.recoverable = True
        service = str(error.type).removesuffix("_error").removesuffix("_model")
        self._fail(service, reason_of(error.error))

    def _on_heard(self, _event: UserInputTranscribedEvent) -> None:
        self._unheard = 0

    def _on_unheard(self, event: Any) -> None:
        if event.speech_duration < _UNHEARD_SPEECH_S or self._models.stt.provider == "builtin":
            return
        self._unheard += 1
        if self._unheard == _UNHEARD_MOST:
            self._fail("stt", "The caller spoke, and the provider returned no words.")

    def _fail(self, service: str, reason: str) -> None:
        choice = self._choice_of(service)
        if choice is not None:
            self._tell(failure_of(choice, reason))

    def _choice_of(self, service: str) -> ModelChoice | None:
        return {
            "stt": self._models.stt,
            "llm": self._models.llm,
            "tts": self._models.tts,
            "realtime": self._models.realtime,
        }.get(service)


def reason_of(error: BaseException) -> str:
    """Return what a model's error means, as a sentence without anything the vendor wrote.

    A vendor's own words may quote the key or what was said.
    """
    match error:
        case APIStatusError():
            return _sentence_of_status(error.status_code)
        case APITimeoutError() | TimeoutError():
            return _SILENT
        case APIConnectionError():
            # A refused handshake of a web socket arrives as a lost connection, its cause beside it.
            status = getattr(error.__cause__, "status", None)
            if isinstance(status, int) and status >= 400:
                return _sentence_of_status(status)
            return "The provider could not be reached, or broke the connection."
        case _:
            return "The provider's answer could not be used."


def _sentence_of_status(status: int) -> str:
    if status in _STATUS_SENTENCES:
        return f"{_STATUS_SENTENCES[status]} It answered with HTTP {status}."
    return f"The provider answered with HTTP {status}."
