"""The demo's agent, and what may be heard of any built-in agent."""

import pytest

from dispatch.agent_profile import AgentDraft
from gateway.faces.native.schemas.agents import AgentBody
from stack.conversation import Press, Say
from stack.demo import ACTIONS
from stack.demo_agent import AGENT, sentences_of

pytestmark = pytest.mark.unit


def draft() -> AgentDraft:
    return AgentBody.model_validate(AGENT).to_draft()


def test_the_api_takes_the_demos_agent() -> None:
    assert draft().name == AGENT["name"]


def test_everything_the_demo_says_and_presses_is_in_the_script() -> None:
    script = draft().script
    keys = {key for step in script.steps for key in step.keys}
    for action in ACTIONS:
        match action:
            case Say(text):
                assert text in script.phrases
            case Press(pressed):
                assert pressed in keys


def test_lists_all_an_agent_may_say_once() -> None:
    agent = {
        "greeting": "Hello.",
        "goodbye": "Bye.",
        "script": {
            "steps": [{"reply": "One."}, {"reply": "Hello."}, {"goto": "more"}],
            "menus": {"more": {"steps": [{"reply": "Two."}], "fallback": None}},
            "fallback": "Pardon?",
        },
    }
    assert sentences_of(agent) == ["Hello.", "Bye.", "One.", "Two.", "Pardon?"]


def test_an_agent_without_a_script_has_its_greeting() -> None:
    assert sentences_of({"greeting": "Hello.", "script": None}) == ["Hello."]
