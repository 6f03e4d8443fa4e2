"""Conversations that go on by what is on record, and are confirmed by ear.

On a busy machine sound breaks up: a sentence is not understood, by the agent or by a test, or a gap
in it passes for its end. So a test says things again, waits for the record, and takes of what it
heard only what it understood.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any, Final, TypeVar

from dispatch.script import NOT_UNDERSTOOD
from stack.conversation import Conversation, speak
from stack.demo_agent import AGENT
from telephony.softphone.call import PhoneCall
from tests.e2e.conftest import Office
from tests.e2e.waiting import said, until

AGAIN_S: Final = 15.0
"""After so long without an effect, something is said again."""
FALLBACK: Final[str] = AGENT["script"]["fallback"]
"""What the demo's agent says to what it did not understand."""

Result = TypeVar("Result")


async def has_told(
    office: Office, number: str, *texts: str, from_number: str | None = None
) -> None:
    """Wait until an agent has said these texts to their end, and as often, in a number's last call.

    Args:
        office: Whose number it is.
        number: That was called.
        texts: What was said.
        from_number: Of whose last call, where several call at once.
    """

    async def find() -> bool | None:
        records = await office.calls(number)
        of_caller = [one for one in records if from_number in (None, one["callerNumber"])]
        turns = [turn for record in of_caller[:1] for turn in said(record)]
        told = Counter(text for who, text in turns if who == "agent")
        return True if told >= Counter(texts) else None

    await until(find)


async def say_until(call: PhoneCall, text: str, effect: Awaitable[Result]) -> Result:
    """Say something, and again, until it has an effect; return what that is.

    Raises:
        CallIsOver: The call ended before.
    """
    waiting = asyncio.ensure_future(effect)
    try:
        sound = await asyncio.to_thread(speak, text)
        while not waiting.done():
            await call.play(sound)
            await asyncio.wait({waiting}, timeout=AGAIN_S)
        return waiting.result()
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def ask(office: Office, number: str, call: PhoneCall, question: str, reply: str) -> None:
    """Ask the agent of a number's last call something until it has given this reply."""
    await say_until(call, question, has_told(office, number, reply))


def understood(conversation: Conversation) -> list[str]:
    """Return which sentences of the agent were understood."""
    heard = [line.text for line in conversation.lines if line.who == "agent"]
    assert any(not text.startswith("[nothing") for text in heard), "nothing was heard"
    return [text for text in heard if not text.startswith("[")]


def is_part(some: Sequence[Any], of: Sequence[Any]) -> bool:
    """Whether some things stand among others in the same order."""
    rest = iter(of)
    return all(one in rest for one in some)


def went_like(
    record: dict[str, Any], expected: Sequence[tuple[str, str]], fallback: str = FALLBACK
) -> bool:
    """Whether a call was this conversation, apart from what was not understood and said again."""
    turns = said(record)
    beside = set(turns) - set(expected)
    sentences = [fallback, *(text for who, text in expected if who == "agent")]
    return is_part(expected, turns) and all(
        text == NOT_UNDERSTOOD
        if who == "caller"
        else any(one.startswith(text) for one in sentences)
        for who, text in beside
    )
