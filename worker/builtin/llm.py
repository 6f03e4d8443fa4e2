"""A script as a language model of livekit-agents: replies and tool calls without any model."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final, Literal

from livekit.agents import APIConnectOptions, llm, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr

from dispatch.result_texts import Fill, as_written
from dispatch.script import Answer, Script

PROVIDER: Final = "builtin"
MODEL: Final = "script"

_WORD_WITH_SPACE = re.compile(r"\s*\S+\s*")
_NOTHING = Answer(reply="", tool_call=None)


class ScriptLLM(llm.LLM[Literal["metrics_collected"]]):
    """Answers by a script; keeps no state, so a discarded generation leaves no trace.

    The reply and the tool call of a step come in one turn, reply first. After the tool has run,
    its result is spoken only if it asks for that, as JSON ``{"say": "…"}``; a failed tool is
    answered by the script's ``error_reply``.

    Args:
        script: What to answer.
        fill: Fills its replies with what is known of the call.
    """

    def __init__(self, script: Script, fill: Fill = as_written) -> None:
        super().__init__()
        self._script = script
        self._fill = fill

    @property
    def model(self) -> str:
        """The model's name, for metrics."""
        return MODEL

    @property
    def provider(self) -> str:
        """The provider's name, for metrics."""
        return PROVIDER

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,  # noqa: ARG002  (one call at most)
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,  # noqa: ARG002  (nothing to pass on)
    ) -> llm.LLMStream:
        """Answer the last turn of a conversation."""
        return _ScriptStream(
            engine=self,
            script=self._script,
            fill=self._fill,
            chat_ctx=chat_ctx,
            tools=tools or [],
            may_call_tools=tool_choice != "none",
            conn_options=conn_options,
        )


class _ScriptStream(llm.LLMStream):
    """One answer, word by word and then the tool call."""

    def __init__(
        self,
        *,
        engine: ScriptLLM,
        script: Script,
        fill: Fill,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        may_call_tools: bool,
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(engine, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)
        self._script = script
        self._fill = fill
        self._may_call_tools = may_call_tools

    async def _run(self) -> None:
        request_id = utils.shortuuid("script_")
        heard = _heard(self.chat_ctx.items)
        answer = self._answer(heard)
        words = _WORD_WITH_SPACE.findall(answer.reply)
        for word in words:
            self._send(request_id, llm.ChoiceDelta(role="assistant", content=word))
        if answer.tool_call is not None and self._may_call_tools:
            call = llm.FunctionToolCall(
                name=answer.tool_call.name,
                arguments=json.dumps(answer.tool_call.arguments),
                call_id=utils.shortuuid("call_"),
            )
            self._send(request_id, llm.ChoiceDelta(role="assistant", tool_calls=[call]))
        prompt_words = len(heard[-1].split()) if heard else 0
        usage = llm.CompletionUsage(
            completion_tokens=len(words),
            prompt_tokens=prompt_words,
            total_tokens=len(words) + prompt_words,
        )
        self._event_ch.send_nowait(llm.ChatChunk(id=request_id, usage=usage))

    def _send(self, request_id: str, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id=request_id, delta=delta))

    def _answer(self, heard: Sequence[str]) -> Answer:
        last = self.chat_ctx.items[-1] if self.chat_ctx.items else None
        if isinstance(last, llm.FunctionCallOutput):
            reply = self._script.reply_to_result(
                last.output,
                is_error=last.is_error,
                heard=_heard_before(last.call_id, self.chat_ctx.items),
                fill=self._fill,
            )
            return Answer(reply, tool_call=None)
        # Without a word from the caller there is nothing to answer: the greeting is not the
        # script's, the worker says it.
        return self._script.answer(heard, self._fill) if heard else _NOTHING


def _heard_before(call_id: str, items: Sequence[llm.ChatItem]) -> list[str]:
    """What the caller had said and pressed when a tool was called; more may have followed."""
    called = next(
        (
            index
            for index, item in enumerate(items)
            if isinstance(item, llm.FunctionCall) and item.call_id == call_id
        ),
        len(items),
    )
    return _heard(items[:called])


def _heard(items: Sequence[llm.ChatItem]) -> list[str]:
    """What the caller said and pressed, oldest first."""
    return [
        text
        for item in items
        if isinstance(item, llm.ChatMessage) and item.role == "user" and (text := item.text_content)
    ]
