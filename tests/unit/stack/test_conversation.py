"""What the command line's caller understands of what it hears."""

import asyncio

import numpy as np
import pytest

from stack.conversation import MOST_TRIES, QUIET_S, Action, Caller, Line, Say, speak, understand
from stack.demo_agent import AGENT, puzzled, sentences_of
from telephony.softphone.g711 import SAMPLE_RATE_HZ, Pcm
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


async def heard_of(sound: Pcm, sentences: list[str]) -> tuple[list[str], bool]:
    """Return what a caller understands of a sound, and whether it arrived without another gap."""
    async with Softphone(on_call=answer_after()) as desk, Softphone() as phone:
        call = await phone.call(desk.uri("+12015550100"))
        caller = Caller(call, sentences, lambda _line: None)
        listening = asyncio.ensure_future(caller.listen())
        saying = desk.calls[0]
        await saying.play(sound)
        await listening
    is_whole = saying.statistics.sent.skipped_frames == 0
    return [line.text for line in caller.conversation.lines], is_whole


async def test_a_sentence_with_a_gap_in_it_is_heard_out() -> None:
    sentences = sentences_of(AGENT)
    said = speak(sentences[0])
    middle = len(said) // 2
    gap = np.zeros(round((QUIET_S + 0.2) * SAMPLE_RATE_HZ), np.int16)
    sound = np.concatenate([said[:middle], gap, said[middle:]])
    for _ in range(10):
        heard, is_whole = await heard_of(sound, sentences)
        # Where the machine stood still there are more gaps, in the midst of words.
        if is_whole or heard == [sentences[0]]:
            break
    assert heard == [sentences[0]]


@pytest.mark.parametrize(
    ("heard", "times"),
    [
        (["hello", "here"], 1),
        (["hello", "sorry", "here"], 2),
        (["hello", *["sorry"] * MOST_TRIES], MOST_TRIES),
    ],
)
async def test_what_is_not_understood_is_said_again_but_not_for_ever(
    heard: list[str], times: int
) -> None:
    coming = iter(heard)

    class Scripted(Caller):
        async def listen(self, after_s: float | None = None) -> None:
            self.conversation.lines.append(Line(0.0, "agent", next(coming), after_s))

        async def act(self, action: Action) -> float:
            assert isinstance(action, Say)
            self.conversation.lines.append(Line(0.0, "caller", action.text))
            return 0.0

    async with Softphone(on_call=answer_after()) as desk, Softphone() as phone:
        call = await phone.call(desk.uri("+12015550100"))
        caller = Scripted(call, [], lambda _line: None, puzzled="sorry")
        conversation = await caller.converse([Say("where?")], stays_s=0)
    assert [line.who for line in conversation.lines].count("caller") == times


def test_the_demos_agent_says_when_it_did_not_understand() -> None:
    assert puzzled(AGENT) in sentences_of(AGENT)
