"""A script that answers in writing."""

import pytest

from dispatch.chat.script_model import ScriptModel
from dispatch.chat.text_model import ModelPart, TextDelta
from dispatch.conversations import Item, Role, TokenUsage, ToolRequest
from dispatch.script import Script

pytestmark = pytest.mark.unit

SCRIPT = Script.model_validate(
    {
        "steps": [
            {"phrases": ["opening hours"], "reply": "From nine to five."},
            {"phrases": ["support"], "reply": "For printers say printers.", "goto": "support"},
            {"phrases": ["goodbye"], "reply": "Goodbye.", "action": {"end_call": {}}},
        ],
        "menus": {"support": {"steps": [{"phrases": ["printers"], "reply": "Turn it on."}]}},
        "fallback": "Pardon?",
        "error_reply": "That did not work.",
    }
)


async def answer_to(*items: Item) -> list[ModelPart]:
    return [part async for part in ScriptModel(SCRIPT).answer("", items, [])]


def said(*texts: str) -> list[Item]:
    return [Item(role=Role.USER, content=text) for text in texts]


def text_of(parts: list[ModelPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextDelta))


async def test_the_reply_comes_word_by_word():
    parts = await answer_to(*said("opening hours"))
    assert parts == [
        TextDelta("From "),
        TextDelta("nine "),
        TextDelta("to "),
        TextDelta("five."),
        TokenUsage(2, 4),
    ]


async def test_what_was_said_before_decides_the_menu():
    assert text_of(await answer_to(*said("support", "printers"))) == "Turn it on."
    assert text_of(await answer_to(*said("printers"))) == "Pardon?"


async def test_an_action_is_asked_for_after_the_reply():
    *_, request, _ = await answer_to(*said("goodbye"))
    assert isinstance(request, ToolRequest)
    assert (request.name, request.arguments) == ("end_call", "{}")


@pytest.mark.parametrize(
    ("output", "failed", "reply"),
    [
        ('{"say": "Tomorrow."}', False, "Tomorrow."),
        ("A sentence for a model.", False, ""),
        ("Refused.", True, "That did not work."),
    ],
)
async def test_what_a_tool_answered_is_said_if_it_is_meant_to_be(
    output: str, *, failed: bool, reply: str
):
    answered = Item(role=Role.TOOL, content=output, request_id="1", failed=failed)
    assert text_of(await answer_to(*said("opening hours"), answered)) == reply


async def test_its_words_are_filled_with_what_is_known_of_the_chat():
    script = Script.model_validate(
        {
            "steps": [{"phrases": ["order"], "action": {"look_up": {}}, "then": "Sent, {{name}}."}],
            "fallback": "Pardon, {{name}}?",
        }
    )
    model = ScriptModel(script, lambda text: text.replace("{{name}}", "Ada"))
    heard = said("bananas")
    assert text_of([part async for part in model.answer("", heard, [])]) == "Pardon, Ada?"
    answered = [*said("order"), Item(role=Role.TOOL, content="{}", request_id="1")]
    assert text_of([part async for part in model.answer("", answered, [])]) == "Sent, Ada."
