"""The agent in the framework's own text mode: no room, no audio, the real session and script."""

import asyncio
import types
import uuid
from datetime import datetime
from typing import Any

import pytest
from livekit.agents import AgentSession, StopResponse
from livekit.agents.llm import RealtimeError

from dispatch.script import Script
from worker.agents import VoiceAgent
from worker.builtin import ScriptLLM
from worker.ending import AGENT_HUNG_UP, TIME_LIMIT, Ending
from worker.keys import KeyInput
from worker.tools.end_call import end_call_tool
from worker.transcript import CallJournal

pytestmark = pytest.mark.unit

SCRIPT = Script.model_validate(
    {
        "steps": [
            {"phrases": ["opening hours"], "keys": ["1"], "reply": "From nine to five."},
            {"keys": ["2"], "reply": "Printers, please.", "goto": "support"},
            {"phrases": ["goodbye"], "reply": "Bye.", "action": {"end_call": {}}},
        ],
        "menus": {"support": {"steps": [{"keys": ["7"], "reply": "Turn it on."}]}},
    }
)
PROFILE: Any = types.SimpleNamespace(instructions=lambda _variables: "")
CALLER = "sip_caller"


class Keys:
    """A recorder that only counts keys."""

    def __init__(self) -> None:
        self.pressed: list[str] = []

    async def record_keys(
        self, _call_id: uuid.UUID, _entry_id: str, digits: str, _at: datetime
    ) -> None:
        self.pressed.append(digits)


class Desk:
    """An agent at work, with what a call needs around it."""

    def __init__(self, session: AgentSession[Any]) -> None:
        self.session = session
        self.ending = Ending()
        self.recorder: Any = Keys()
        self.journal = CallJournal(self.recorder, uuid.uuid4())
        self.keys = KeyInput(session, self.journal, self.ending, CALLER)
        self.said: asyncio.Queue[str] = asyncio.Queue()
        session.on("conversation_item_added", self._on_item)

    async def hang_up(self) -> None:
        self.ending.finish()

    def press(self, digit: str, identity: str = CALLER) -> None:
        participant = types.SimpleNamespace(identity=identity)
        event: Any = types.SimpleNamespace(digit=digit, participant=participant)
        self.keys.press(event)

    async def hear(self) -> str:
        async with asyncio.timeout(30):
            return await self.said.get()

    def _on_item(self, event: Any) -> None:
        if event.item.role == "assistant":
            self.said.put_nowait(event.item.text_content)


@pytest.fixture
async def desk():
    async with AgentSession[Any](llm=ScriptLLM(SCRIPT)) as session:
        desk = Desk(session)
        tasks = [asyncio.create_task(desk.keys.run()), asyncio.create_task(desk.journal.run())]
        await session.start(
            VoiceAgent(PROFILE, {}, [end_call_tool(desk.ending, desk.hang_up)], lambda: None)
        )
        yield desk
        for task in tasks:
            task.cancel()


async def test_a_key_is_answered_like_speech(desk: Desk):
    desk.press("1")

    assert await desk.hear() == "From nine to five."


async def test_a_key_leads_where_the_key_before_it_led(desk: Desk):
    desk.press("2")
    assert await desk.hear() == "Printers, please."
    desk.press("7")

    assert await desk.hear() == "Turn it on."


async def test_a_key_that_the_agent_could_not_take_is_in_the_way_of_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    agent = desk.session.current_agent
    take, failures = agent.update_chat_ctx, [RealtimeError("update_chat_ctx timed out.")]

    async def take_later(context: Any) -> None:
        if failures:
            raise failures.pop()
        await take(context)

    monkeypatch.setattr(agent, "update_chat_ctx", take_later)
    desk.press("1")
    desk.press("2")

    assert await desk.hear() == "Printers, please."


async def test_keys_of_others_in_the_room_are_ignored(desk: Desk):
    desk.press("1", identity="sip_supervisor")
    desk.press("2")

    assert await desk.hear() == "Printers, please."
    assert await desk.journal.flush(30.0)
    assert desk.recorder.pressed == ["2"]


async def test_a_key_pressed_while_the_call_ends_is_on_record_and_not_answered(desk: Desk):
    desk.ending.decide(TIME_LIMIT)

    desk.press("1")

    assert await desk.journal.flush(30.0)
    assert desk.recorder.pressed == ["1"]
    assert desk.said.empty()


async def test_the_agent_says_goodbye_and_then_hangs_up(desk: Desk):
    await desk.session.run(user_input="goodbye")

    cause, _ = await desk.ending.wait()
    assert cause == AGENT_HUNG_UP
    assert await desk.hear() == "Bye."


async def test_the_line_goes_down_although_the_goodbye_comes_to_no_end():
    ending = Ending()

    async def hang_up() -> None:
        ending.finish()

    context: Any = types.SimpleNamespace(
        disallow_interruptions=lambda: None, wait_for_playout=asyncio.Event().wait
    )
    with pytest.raises(StopResponse):
        await end_call_tool(ending, hang_up, longest_goodbye_s=0.01)(context)

    cause, _ = await ending.wait()
    assert cause == AGENT_HUNG_UP


async def test_the_agent_cannot_hang_up_twice(desk: Desk):
    desk.ending.decide(TIME_LIMIT)

    await desk.session.run(user_input="goodbye")

    assert not desk.ending.is_over
