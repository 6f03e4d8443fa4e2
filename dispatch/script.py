"""The script of a plain agent, as data: what the caller says or presses, and what follows.

A script is the language model of provider ``builtin``. It has no memory of its own: which menu
the caller is in follows from what the caller has said so far, so a generation that is thrown away
changes nothing and a second worker carries on where the first one stopped.

Example::

    {
      "steps": [
        {"phrases": ["what are your opening hours"], "keys": ["1"], "reply": "From nine to five."},
        {"phrases": ["technical support"], "keys": ["2"], "reply": "For printers say printers.",
         "goto": "support"},
        {"phrases": ["where is my order"], "reply": "One moment.",
         "action": {"order_status": {"order": "12"}}, "then": "It is {result.status}."},
        {"phrases": ["goodbye"], "reply": "Goodbye.", "action": {"end_call": {}}}
      ],
      "menus": {"support": {"steps": [{"phrases": ["printers"], "reply": "Turn it on."}]}},
      "fallback": "Sorry, I did not catch that."
    }
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Self

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from dispatch.conditions import either, has, implies
from dispatch.result_texts import Fill, as_written, says_field, text_with_result
from telephony.speech.words import words_of

MAIN_MENU = "main"
"""The name of the top level for ``goto``: the ``steps`` of the script itself."""

NOT_UNDERSTOOD = "(not understood)"
"""What stands in the transcript for speech that no phrase fits, so that it gets an answer."""

MATCH_THRESHOLD = 0.6

MAX_PHRASES = 500
"""All phrases of a script are one grammar; this many are still recognised in about 0.1 s."""

_KEY_TEXT = re.compile(r"\[key ([0-9A-D*#])\]")
_TEXT_MAX = 2_000

GATHER_KEYS = "gather_keys"
"""The tool that asks the caller for keys; those of a `sensitive` entry it shows to nobody."""

SEARCH_KNOWLEDGE = "search_knowledge"
"""The tool that looks something up in the agent's knowledge bases. As an action without a `query`
it looks up what the caller said."""


def _with_words(phrase: str) -> str:
    if not words_of(phrase):
        raise ValueError("a phrase needs at least one letter or digit")
    return phrase


Phrase = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_with_words),
]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9A-D*#]$")]
MenuName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
_TOOL_NAME = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
ToolName = Annotated[str, StringConstraints(pattern=_TOOL_NAME)]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The action of a step: a tool of the agent and its arguments."""

    name: str
    arguments: dict[str, Any]


_STEP_RULES: dict[str, Any] = {
    "allOf": [
        either(has("phrases", minItems=1), has("keys", minItems=1)),
        either(has("reply", minLength=1), has("action", type="object"), has("goto", type="string")),
        implies(has("then", minLength=1), has("action", type="object")),
    ]
}
"""What `Step` asks of its fields together, in JSON Schema."""


class Step(BaseModel):
    """One thing a caller can say or press, and what the agent does about it."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_STEP_RULES)

    phrases: tuple[Phrase, ...] = Field(default=(), max_length=50)
    """What the caller may say; any of them."""
    keys: tuple[Key, ...] = Field(default=(), max_length=16)
    """What the caller may press; any of them."""
    reply: str = Field(default="", max_length=_TEXT_MAX)
    """What the agent says, before the action."""
    action: dict[ToolName, dict[str, JsonValue]] | None = Field(
        default=None,
        json_schema_extra={
            "minProperties": 1,
            "maxProperties": 1,
            "propertyNames": {"pattern": _TOOL_NAME},
        },
    )
    """One tool and its arguments: ``{"end_call": {}}``, ``{"transfer_call": {"to": "tel:…"}}``."""
    then: str = Field(default="", max_length=_TEXT_MAX)
    """What the agent says when the action has succeeded: ``{result}`` stands for the tool's answer,
    ``{result.order.status}`` for a field of an answer in JSON."""
    goto: MenuName | None = None
    """The menu in which the caller is afterwards; the same one when empty."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.phrases and not self.keys:
            raise ValueError("a step needs phrases or keys, or nobody can reach it")
        if not self.reply and self.action is None and self.goto is None:
            raise ValueError("a step needs a reply, an action or a goto, or nothing happens")
        if self.action is not None and len(self.action) != 1:
            raise ValueError("action names exactly one tool")
        if self.then and self.action is None:
            raise ValueError("then is said after an action, and there is none")
        return self

    @cached_property
    def phrase_words(self) -> tuple[tuple[str, ...], ...]:
        """The words of each phrase, for the matching."""
        return tuple(words_of(phrase) for phrase in self.phrases)

    @property
    def tool_call(self) -> ToolCall | None:
        """The action, if the step has one."""
        if self.action is None:
            return None
        [(name, arguments)] = self.action.items()
        return ToolCall(name, dict(arguments))


class Menu(BaseModel):
    """What can be said and pressed at one point of the conversation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: tuple[Step, ...] = Field(default=(), max_length=200)
    fallback: str | None = Field(default=None, max_length=_TEXT_MAX)
    """Said when nothing fits; the script's own fallback when empty."""

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        _refuse_doubles(self.steps)
        return self


class Script(BaseModel):
    """All of a plain agent's conversation. An empty script answers everything by its fallback."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: tuple[Step, ...] = Field(default=(), max_length=200)
    """The main menu. Its steps work in every other menu too, after that menu's own."""
    menus: dict[MenuName, Menu] = Field(
        default_factory=dict, max_length=50, json_schema_extra={"additionalProperties": False}
    )
    fallback: str = Field(
        default="Sorry, I did not catch that.", min_length=1, max_length=_TEXT_MAX
    )
    """Said when nothing fits."""
    fallback_to_knowledge: bool = False
    """When nothing fits, what the caller said is looked up in the agent's knowledge bases, and what
    is found is said; the fallback only if nothing is."""
    error_reply: str = Field(default="Sorry, that did not work.", max_length=_TEXT_MAX)
    """Said when the tool of an action fails."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        _refuse_doubles(self.steps)
        if MAIN_MENU in self.menus:
            raise ValueError(f"menus.{MAIN_MENU}: the main menu is the field steps")
        if len(self.phrases) > MAX_PHRASES:
            raise ValueError(f"a script has at most {MAX_PHRASES} phrases, not {len(self.phrases)}")
        for place, step in self._placed_steps():
            if step.goto is not None and step.goto != MAIN_MENU and step.goto not in self.menus:
                raise ValueError(f"{place}.goto: there is no menu {step.goto!r}")
        return self

    def _placed_steps(self) -> Iterator[tuple[str, Step]]:
        for index, step in enumerate(self.steps):
            yield f"steps.{index}", step
        for name, menu in self.menus.items():
            for index, step in enumerate(menu.steps):
                yield f"menus.{name}.steps.{index}", step

    @cached_property
    def phrases(self) -> tuple[str, ...]:
        """Every phrase of every menu, once: what speech recognition has to expect."""
        return tuple(
            dict.fromkeys(phrase for _, step in self._placed_steps() for phrase in step.phrases)
        )

    @property
    def unspeakable(self) -> str | None:
        """The place of a sentence that would say the keys of a sensitive entry, if there is one."""
        for place, step in self._placed_steps():
            is_sensitive = (step.action or {}).get(GATHER_KEYS, {}).get("sensitive") is True
            if is_sensitive and says_field(step.then, "keys"):
                return f"{place}.then"
        return None

    @property
    def tools(self) -> frozenset[str]:
        """The names of the tools that its actions call."""
        return frozenset(name for _, step in self._placed_steps() for name in step.action or ())

    @property
    def looks_up_knowledge(self) -> bool:
        """Whether any of it needs the agent's knowledge bases."""
        return self.fallback_to_knowledge or any(
            step.action is not None and SEARCH_KNOWLEDGE in step.action
            for _, step in self._placed_steps()
        )

    def answer(self, heard: Iterable[str], fill: Fill = as_written) -> "Answer":
        """What follows from everything the caller has said and pressed so far.

        Args:
            heard: The caller's turns, oldest first, as text; a key press is ``key_text(key)``.
            fill: Fills the reply; a tool's arguments stay as the script has them.
        """
        answer = self._next(heard)
        return replace(answer, reply=fill(answer.reply))

    def _next(self, heard: Iterable[str]) -> "Answer":
        menu = MAIN_MENU
        answer = Answer(reply=self.fallback, tool_call=None)
        for text in heard:
            step = self._match(menu, text)
            if step is None:
                answer = self._not_understood(menu, text)
                continue
            menu = step.goto or menu
            answer = Answer(step.reply, _about(text, step.tool_call), step.then)
        return answer

    def reply_to_result(
        self,
        output: str,
        *,
        is_error: bool = False,
        heard: Iterable[str] = (),
        fill: Fill = as_written,
    ) -> str:
        """What the agent says after the tool of an action has run.

        Args:
            output: What the tool answered. It is spoken as the step's ``then`` says, or,
                without one, if it is JSON such as ``{"say": "…"}``: other answers are meant for a
                model to think about, not for the caller.
            is_error: The tool failed, which the script's ``error_reply`` is for.
            heard: The caller's turns up to the step, as `answer` takes them.
            fill: Fills the script's own words, and not the tool's.
        """
        if is_error:
            return fill(self.error_reply)
        if template := self._next(heard).then:
            return text_with_result(template, output, fill)
        try:
            result = orjson.loads(output)
        except ValueError:
            return ""
        said = result.get("say") if isinstance(result, dict) else None
        return said if isinstance(said, str) else ""

    def _not_understood(self, menu: str, text: str) -> "Answer":
        if self.fallback_to_knowledge and words_of(text) and not _is_wordless(text):
            return Answer(reply="", tool_call=ToolCall(SEARCH_KNOWLEDGE, {"query": text}))
        return Answer(reply=self._fallback(menu), tool_call=None)

    def _fallback(self, menu: str) -> str:
        own = self.menus[menu].fallback if menu in self.menus else None
        return self.fallback if own is None else own

    def _match(self, menu: str, text: str) -> Step | None:
        own = self.menus[menu].steps if menu in self.menus else ()
        return match_step(own, text) or match_step(self.steps, text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent does next: says something, then calls a tool. Either may be missing."""

    reply: str
    tool_call: ToolCall | None
    then: str = ""
    """Said after the tool, its answer filled in."""


def _about(text: str, tool_call: ToolCall | None) -> ToolCall | None:
    if tool_call is None or tool_call.name != SEARCH_KNOWLEDGE or "query" in tool_call.arguments:
        return tool_call
    return ToolCall(SEARCH_KNOWLEDGE, {**tool_call.arguments, "query": text})


def _is_wordless(text: str) -> bool:
    return text.strip() == NOT_UNDERSTOOD or _KEY_TEXT.fullmatch(text.strip()) is not None


def key_text(key: str) -> str:
    """A pressed key as a turn of the caller: ``[key 2]``.

    Raises:
        ValueError: It is not a key of a telephone: 0 to 9, ``*``, ``#``, A to D.
    """
    text = f"[key {key}]"
    if not _KEY_TEXT.fullmatch(text):
        raise ValueError(f"not a telephone key: {key!r}")
    return text


def match_step(steps: Iterable[Step], text: str) -> Step | None:
    """The step that fits best what the caller said or pressed, if any fits well enough.

    A pressed key fits exactly or not at all. Speech fits by the words it shares with a phrase:
    the same words fit perfectly, a polite frame around a phrase costs little, a missing word of
    the phrase costs more, and long words count more than short ones, in any language.
    """
    if pressed := _KEY_TEXT.fullmatch(text.strip()):
        return next((step for step in steps if pressed[1] in step.keys), None)
    if text.strip() == NOT_UNDERSTOOD:
        return None
    said = words_of(text)
    best, best_score = None, 0.0
    for step in steps:
        score = max((_overlap(said, phrase) for phrase in step.phrase_words), default=0.0)
        if score > best_score:
            best, best_score = step, score
    return best if best_score >= MATCH_THRESHOLD else None


def _overlap(said: tuple[str, ...], phrase: tuple[str, ...]) -> float:
    """From 0 (nothing in common) to 1 (the same): the F2 measure of common words by length."""
    if said == phrase:
        return 1.0
    common = sum(map(len, set(said) & set(phrase)))
    if not common:
        return 0.0
    precision = common / sum(map(len, set(said)))
    recall = common / sum(map(len, set(phrase)))
    # A hair less than the exact match, which the same words in another order must not equal.
    return 0.999 * 5 * precision * recall / (4 * precision + recall)


def _refuse_doubles(steps: tuple[Step, ...]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for index, step in enumerate(steps):
        inputs = {(phrase, words_of(phrase)) for phrase in step.phrases}
        inputs |= {(key, ("key", key)) for key in step.keys}
        for written, said in inputs:
            if seen.setdefault(said, index) != index:
                raise ValueError(
                    f"steps.{index}: {written!r} already belongs to steps.{seen[said]}"
                )
