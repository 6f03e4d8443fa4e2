"""What the command line's caller understands of what it hears."""

import numpy as np
import pytest

from stack.conversation import speak, understand
from stack.demo_agent import AGENT, sentences_of

pytestmark = pytest.mark.unit


def test_recognises_what_the_demos_agent_greets_with() -> None:
    sentences = sentences_of(AGENT)
    assert understand(speak(sentences[0]), sentences) == sentences[0]


def test_tells_the_length_of_what_it_does_not_know() -> None:
    assert understand(speak("something else"), []).startswith("[speech, ")


def test_silence_is_no_sentence() -> None:
    silence = np.zeros(8_000, dtype=np.int16)
    assert understand(silence, ["hello"]) == "[speech, 1.0 s, not recognised]"
