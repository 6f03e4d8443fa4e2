"""The script of a plain agent: what fits what a caller says, and which scripts are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from dispatch.result_texts import Fill
from dispatch.script import NOT_UNDERSTOOD, Script, ToolCall, key_text
from dispatch.variables import fill

pytestmark = pytest.mark.unit

SCRIPT = Script.model_validate(
    {
        "steps": [
            {
                "phrases": ["What are your opening hours?", "when are you open"],
                "keys": ["1"],
                "reply": "From nine to five.",
            },
            {"phrases": ["press 2"], "keys": ["2"], "reply": "Support.", "goto": "support"},
            {"phrases": ["no"], "reply": "Fine."},
            {"phrases": ["goodbye"], "reply": "Goodbye.", "action": {"end_call": {}}},
        ],
        "menus": {
            "support": {
                "steps": [
                    {"phrases": ["printers"], "keys": ["1"], "reply": "Turn it on."},
                    {"phrases": ["back"], "reply": "Back.", "goto": "main"},
                ],
                "fallback": "Printers, or back?",
            }
        },
    }
)
FALLBACK = "Sorry, I did not catch that."


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        ("what are your opening hours", "From nine to five."),
        ("WHAT ARE YOUR OPENING HOURS!", "From nine to five."),
        ("hi, can you tell me what are your opening hours please", "From nine to five."),
        ("your opening hours", "From nine to five."),
        ("press two", "Support."),
        ("no", "Fine."),
        ("what are your prices", FALLBACK),
        ("no I want to know what your opening hours are", "From nine to five."),
        (NOT_UNDERSTOOD, FALLBACK),
        ("...", FALLBACK),
        ("[key 1]", "From nine to five."),
        ("[key 9]", FALLBACK),
        ("key 1", FALLBACK),
    ],
)
def test_answers_what_fits_best(said: str, reply: str) -> None:
    assert SCRIPT.answer([said]).reply == reply


def test_a_step_leads_to_another_menu_whose_keys_come_first() -> None:
    assert SCRIPT.answer(["press two", key_text("1")]).reply == "Turn it on."


def test_main_steps_work_in_every_menu() -> None:
    answer = SCRIPT.answer(["press two", "goodbye"])
    assert (answer.reply, answer.tool_call) == ("Goodbye.", ToolCall("end_call", {}))


def test_a_menu_has_its_own_fallback_and_a_way_back() -> None:
    assert SCRIPT.answer(["press two", "bananas"]).reply == "Printers, or back?"
    assert SCRIPT.answer(["press two", "back", "bananas"]).reply == FALLBACK


def test_recognition_has_to_expect_every_phrase_once() -> None:
    assert SCRIPT.phrases == (
        "What are your opening hours?",
        "when are you open",
        "press 2",
        "no",
        "goodbye",
        "printers",
        "back",
    )


def test_survives_its_own_json() -> None:
    assert Script.model_validate_json(SCRIPT.model_dump_json()) == SCRIPT


def test_an_empty_script_says_that_it_did_not_understand() -> None:
    assert Script().answer(["hello"]).reply == FALLBACK


@pytest.mark.parametrize("key", ["", "10", "E", "[key 1]"])
def test_refuses_what_is_no_telephone_key(key: str) -> None:
    with pytest.raises(ValueError, match="telephone key"):
        key_text(key)


@pytest.mark.parametrize(
    ("script", "place", "message"),
    [
        ({"stpes": []}, ("stpes",), "not permitted"),
        ({"steps": [{"phrases": ["a"]}]}, ("steps", 0), "a reply, an action or a goto"),
        ({"steps": [{"reply": "x"}]}, ("steps", 0), "phrases or keys"),
        ({"steps": [{"phrases": ["?!"], "reply": "x"}]}, ("steps", 0, "phrases", 0), "letter"),
        ({"steps": [{"keys": ["11"], "reply": "x"}]}, ("steps", 0, "keys", 0), "pattern"),
        ({"steps": [{"keys": ["1"], "goto": "x"}]}, (), r"steps\.0\.goto: there is no menu 'x'"),
        ({"menus": {"main": {}}}, (), r"menus\.main"),
        (
            {"steps": [{"keys": ["1"], "action": {"a": {}, "b": {}}}]},
            ("steps", 0),
            "exactly one tool",
        ),
        (
            {"steps": [{"phrases": ["yes"], "reply": "x"}, {"phrases": ["Yes!"], "reply": "y"}]},
            (),
            r"steps\.1: 'Yes!' already belongs to steps\.0",
        ),
        (
            {
                "steps": [
                    {"phrases": [f"item {step} {n}" for n in range(50)], "reply": "x"}
                    for step in range(11)
                ]
            },
            (),
            "at most 500 phrases, not 550",
        ),
        (
            {"menus": {"m": {"steps": [{"keys": ["1"], "reply": ""}]}}},
            ("menus", "m", "steps", 0),
            "a reply",
        ),
    ],
)
def test_refuses_a_wrong_script_naming_the_place(
    script: dict[str, Any], place: tuple[str | int, ...], message: str
) -> None:
    with pytest.raises(ValidationError, match=message) as refusal:
        Script.model_validate(script)
    assert refusal.value.errors()[0]["loc"] == place


class TestTheResultOfAnAction:
    SCRIPT = Script.model_validate(
        {
            "steps": [
                {
                    "phrases": ["my order"],
                    "reply": "One moment.",
                    "action": {"look_up": {}},
                    "then": "It is {result.state}, by {result.by.0.name}: {result}",
                },
                {"phrases": ["hello"], "action": {"greet": {}}},
            ]
        }
    )

    @pytest.mark.parametrize(
        ("output", "said"),
        [
            (
                '{"state":"sent","by":[{"name":"Ann"}]}',
                'It is sent, by Ann: {"state":"sent","by":[{"name":"Ann"}]}',
            ),
            ('{"state":{"a":1}}', 'It is {"a": 1}, by : {"state":{"a":1}}'),
            ("gone", "It is , by : gone"),
            ("[" * 5_000, f"It is , by : {'[' * 5_000}"),
        ],
    )
    def test_is_spoken_as_the_step_says(self, output: str, said: str) -> None:
        assert self.SCRIPT.reply_to_result(output, heard=["my order"]) == said

    def test_is_not_spoken_unless_it_asks_for_that(self) -> None:
        assert self.SCRIPT.reply_to_result("done", heard=["hello"]) == ""
        assert self.SCRIPT.reply_to_result('{"say": "Hi."}', heard=["hello"]) == "Hi."

    def test_of_a_failure_is_the_scripts_own_sentence(self) -> None:
        said = self.SCRIPT.reply_to_result("404", is_error=True, heard=["my order"])
        assert said == self.SCRIPT.error_reply

    def test_cannot_be_spoken_of_without_an_action(self) -> None:
        with pytest.raises(ValidationError, match="then is said after an action"):
            Script.model_validate({"steps": [{"keys": ["1"], "reply": "x", "then": "y"}]})


class TestWhatIsKnownOfTheConversation:
    SCRIPT = Script.model_validate(
        {
            "steps": [
                {"phrases": ["hello"], "reply": "Hello {{name}}."},
                {
                    "phrases": ["my order"],
                    "reply": "One moment, {{name}}.",
                    "action": {"look_up": {"order": "{{name}}"}},
                    "then": "{{name}}, it is {result.state}, {{name}}{{other}}.",
                },
                {"phrases": ["support"], "reply": "Yes?", "goto": "support"},
            ],
            "menus": {"support": {"fallback": "Sorry, {{name}}?"}},
            "fallback": "Pardon, {{name}}?",
            "error_reply": "That did not work, {{name}}.",
        }
    )

    @staticmethod
    def known(name: str) -> Fill:
        return lambda text: fill(text, {"name": name})

    @pytest.mark.parametrize(
        ("heard", "said"),
        [
            (["hello"], "Hello Ada."),
            (["bananas"], "Pardon, Ada?"),
            (["support", "bananas"], "Sorry, Ada?"),
        ],
    )
    def test_is_filled_into_every_reply(self, heard: list[str], said: str) -> None:
        assert self.SCRIPT.answer(heard, self.known("Ada")).reply == said

    def test_is_filled_in_around_a_tools_answer(self) -> None:
        said = self.SCRIPT.reply_to_result(
            '{"state": "sent"}', heard=["my order"], fill=self.known("Ada")
        )
        assert said == "Ada, it is sent, Ada{{other}}."

    def test_cannot_ask_for_a_tools_answer_nor_the_answer_for_it(self) -> None:
        said = self.SCRIPT.reply_to_result(
            '{"state": "{{name}}", "pin": "1234"}',
            heard=["my order"],
            fill=self.known("{result.pin}{{name}}"),
        )
        assert said == ("{result.pin}{{name}}, it is {{name}}, {result.pin}{{name}}{{other}}.")

    def test_is_filled_into_the_sentence_after_a_failure(self) -> None:
        said = self.SCRIPT.reply_to_result("404", is_error=True, fill=self.known("Ada"))
        assert said == "That did not work, Ada."

    def test_is_kept_from_tools_whose_arguments_stay_as_they_are_written(self) -> None:
        answer = self.SCRIPT.answer(["my order"], self.known("{keys.card}"))
        assert answer.tool_call == ToolCall("look_up", {"order": "{{name}}"})


@pytest.mark.parametrize(
    ("sensitive", "then", "place"),
    [
        (True, "You keyed in {result.keys}.", "menus.pay.steps.0.then"),
        (True, "You keyed in {result}.", "menus.pay.steps.0.then"),
        (True, "Those were {result.count} keys.", None),
        (False, "You keyed in {result.keys}.", None),
    ],
)
def test_the_keys_of_a_sensitive_entry_are_not_to_be_spoken(
    *, sensitive: bool, then: str, place: str | None
) -> None:
    action = {"gather_keys": {"name": "card", "sensitive": sensitive}}
    menus = {"pay": {"steps": [{"keys": ["1"], "action": action, "then": then}]}}
    assert Script.model_validate({"menus": menus}).unspeakable == place


LOOKING_UP = Script.model_validate(
    {
        "steps": [
            {"phrases": ["prices"], "action": {"search_knowledge": {"query": "price list"}}},
            {"phrases": ["anything about tarts"], "action": {"search_knowledge": {}}},
        ],
        "fallback_to_knowledge": True,
    }
)


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("prices", "price list"),
        ("is there anything about tarts", "is there anything about tarts"),
        ("when do you open on Sundays?", "when do you open on Sundays?"),
    ],
)
def test_a_script_looks_up_its_own_query_or_what_was_said(said, query) -> None:
    answer = LOOKING_UP.answer([said])
    assert answer.tool_call == ToolCall("search_knowledge", {"query": query})
    assert answer.reply == ""


@pytest.mark.parametrize("heard", [NOT_UNDERSTOOD, key_text("7"), "?!"])
def test_what_has_no_words_is_not_looked_up(heard) -> None:
    answer = LOOKING_UP.answer([heard])
    assert (answer.reply, answer.tool_call) == (FALLBACK, None)
