"""What the command line's caller understands of what it hears."""

import asyncio

import numpy as np
import pytest

from stack.conversation import QUIET_S, Caller, speak, understand
from stack.demo_agent import AGENT, sentences_of
from telephony.softphone.g711 import SAMPLE_RATE_HZ
from telephony.softphone.incoming import answer_after
from telephony.softphone.phone import Softphone

pytestmark = pytest.mark.unit


def test_recognises_what_the_demos_agent_greets_with() -> None:
    sentences = sentences_of(AGENT)
    assert understand(speak(sentences[0]), sentences) == sentences[0]


def test_tells_the_length_of_what_it_does_not_know() -> None:
    assert understand(speak("something else"), []).startswith("[speech, ")


def test_silence_is_no_sentence() -> None:
    silence = np.zeros(8_000, dtype=np.int16)
    assert understand(silence, ["hello"]) == "[speech, 1.0 s, not recognised]"


async def test_a_sentence_with_a_gap_in_it_is_heard_out() -> None:
    sentences = sentences_of(AGENT)
    said = speak(sentences[0])
    middle = len(said) // 2
    gap = np.zeros(round((QUIET_S + 0.2) * SAMPLE_RATE_HZ), np.int16)
    async with Softphone(on_call=answer_after()) as desk, Softphone() as phone:
        call = await phone.call(desk.uri("+12015550100"))
        caller = Caller(call, sentences, lambda _line: None)
        listening = asyncio.ensure_future(caller.listen())
        await desk.calls[0].play(np.concatenate([said[:middle], gap, said[middle:]]))
        await listening
    assert [line.text for line in caller.conversation.lines] == [sentences[0]]
