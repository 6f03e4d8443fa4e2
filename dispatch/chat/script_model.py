"""A script as the model of a chat: needs no key and costs no tokens of a vendor."""

import json
import re
import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from dispatch.chat.text_model import FunctionTool, ModelPart, TextDelta
from dispatch.conversations import Item, Role, TokenUsage, ToolRequest
from dispatch.result_texts import Fill, as_written
from dispatch.script import Answer, Script

_WORD_WITH_SPACE: Final = re.compile(r"\s*\S+\s*")

MEMORY: Final = 2_000
"""Which menu the user is in follows from all they wrote, so a script is given nearly everything."""


class ScriptModel:
    """Answers by a script, word by word; the model `script` of the provider `builtin`.

    Args:
        script: What to answer.
        fill: Fills its replies with what is known of the chat.
    """

    provider = "builtin"
    name = "script"
    own_key = False
    memory = MEMORY

    def __init__(self, script: Script, fill: Fill = as_written) -> None:
        self._script = script
        self._fill = fill

    async def answer(
        self,
        instructions: str,  # noqa: ARG002 - a script needs none
        items: Sequence[Item],
        tools: Sequence[FunctionTool],  # noqa: ARG002 - it names its tools itself
    ) -> AsyncGenerator[ModelPart]:
        """Yield the reply and then the action of the step that fits the last message."""
        answer = self._next(items)
        words = _WORD_WITH_SPACE.findall(answer.reply)
        for word in words:
            yield TextDelta(word)
        if answer.tool_call is not None:
            yield ToolRequest(
                f"call_{uuid.uuid4().hex}",
                answer.tool_call.name,
                json.dumps(answer.tool_call.arguments),
            )
        heard = items[-1].content.split() if items else []
        yield TokenUsage(input_tokens=len(heard), output_tokens=len(words))

    def _next(self, items: Sequence[Item]) -> Answer:
        last = items[-1] if items else None
        heard = [item.content for item in items if item.role is Role.USER]
        if last is not None and last.role is Role.TOOL:
            reply = self._script.reply_to_result(
                last.content, is_error=last.failed, heard=heard, fill=self._fill
            )
            return Answer(reply, tool_call=None)
        return self._script.answer(heard, self._fill)
