"""Models behind OpenAI's chat completions, at OpenAI or at any server that offers the same.

Source: the OpenAI API reference, "Create chat completion" and its streaming events, as typed in the
package openai 3.52.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk
from openai.types.completion_usage import CompletionUsage

from dispatch.billing.items import told_quantity
from dispatch.chat.text_model import FunctionTool, ModelFailed, ModelPart, TextDelta
from dispatch.conversations import Item, Role, TokenUsage, ToolRequest

MEMORY: Final = 40
"""Items a model is given: TalkifAI's twenty exchanges."""

_MOST_REQUESTS: Final = 32
"""Tools asked for in one answer; a server that asks for more is not listened to."""


_LONGEST_REQUEST: Final = 65_536
"""Characters of a tool's name and arguments."""


@dataclass(slots=True)
class _GrowingRequest:
    """A request for a tool as its pieces arrive."""

    request_id: str = ""
    name: str = ""
    arguments: str = ""


class OpenAIModel:
    """One model of one server.

    Args:
        client: Knows the server and the key.
        provider: Whose it is, as in the price table.
        name: The model.
        params: Passed on as they are, for example `temperature`.
        own_key: Whether the key is the tenant's.
    """

    memory = MEMORY

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        provider: str,
        name: str,
        params: Mapping[str, Any],
        own_key: bool,
    ) -> None:
        self._client = client
        self.provider = provider
        self.name = name
        self._params = dict(params)
        self.own_key = own_key

    async def answer(
        self, instructions: str, items: Sequence[Item], tools: Sequence[FunctionTool]
    ) -> AsyncGenerator[ModelPart]:
        """Yield the answer as it arrives, then the tools it asks for, then what it took.

        A server that does not count tokens is let off: then nothing tells what it took.
        """
        usage: CompletionUsage | None = None
        finished = False
        growing: dict[int, _GrowingRequest] = {}
        with _vendor_errors():
            stream = await self._client.chat.completions.create(
                **self._request(instructions, items, tools),
                stream=True,
                stream_options={"include_usage": True},
            )
            async with stream:
                async for chunk in stream:
                    usage = chunk.usage or usage
                    finished = finished or _is_last(chunk)
                    text = _take(chunk, growing)
                    if text:
                        yield TextDelta(text)
        if not finished:
            raise ModelFailed("The model's answer broke off.")
        for index in sorted(growing):
            asked = growing[index]
            yield ToolRequest(asked.request_id or f"call_{index}", asked.name, asked.arguments)
        if usage is not None:
            yield _to_usage(usage)

    def _request(
        self, instructions: str, items: Sequence[Item], tools: Sequence[FunctionTool]
    ) -> dict[str, Any]:
        request = {
            **self._params,
            "model": self.name,
            "messages": _to_messages(instructions, items),
        }
        if tools:
            request["tools"] = [_to_tool(tool) for tool in tools]
        else:
            # OpenAI refuses it where there is nothing to call.
            request.pop("parallel_tool_calls", None)
        return request


def _is_last(chunk: ChatCompletionChunk) -> bool:
    """Whether the answer is complete; a broken connection looks like an end, too."""
    return bool(chunk.choices) and chunk.choices[0].finish_reason is not None


def _take(chunk: ChatCompletionChunk, growing: dict[int, _GrowingRequest]) -> str:
    """Return the text of a chunk, and add its pieces of tool requests to those before."""
    if not chunk.choices:
        return ""
    delta = chunk.choices[0].delta
    for piece in delta.tool_calls or ():
        if piece.index not in growing and len(growing) >= _MOST_REQUESTS:
            raise ModelFailed("The model asks for too many tools at once.")
        request = growing.setdefault(piece.index, _GrowingRequest())
        request.request_id = piece.id or request.request_id
        if piece.function is not None:
            request.name += piece.function.name or ""
            request.arguments += piece.function.arguments or ""
        if len(request.name) + len(request.arguments) > _LONGEST_REQUEST:
            raise ModelFailed("The model asks for a tool at too great length.")
    return delta.content or ""


def _to_messages(instructions: str, items: Sequence[Item]) -> list[dict[str, Any]]:
    system = [{"role": "system", "content": instructions}] if instructions else []
    return system + [_to_message(item) for item in items]


def _to_message(item: Item) -> dict[str, Any]:
    match item.role:
        case Role.TOOL:
            return {"role": "tool", "tool_call_id": item.request_id, "content": item.content}
        case Role.ASSISTANT if item.tool_requests:
            calls = [
                {
                    "id": request.request_id,
                    "type": "function",
                    "function": {"name": request.name, "arguments": request.arguments},
                }
                for request in item.tool_requests
            ]
            return {"role": "assistant", "content": item.content or None, "tool_calls": calls}
        case _:
            return {"role": item.role.value, "content": item.content}


def _to_tool(tool: FunctionTool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }


def _to_usage(usage: CompletionUsage) -> TokenUsage:
    details = usage.prompt_tokens_details
    read = told_quantity(usage.prompt_tokens)
    return TokenUsage(
        input_tokens=read,
        output_tokens=told_quantity(usage.completion_tokens),
        cached_input_tokens=min(told_quantity(details.cached_tokens) if details else 0, read),
    )


@contextmanager
def _vendor_errors() -> Iterator[None]:
    """Turn whatever the server or the way to it does wrong into `ModelFailed`.

    The vendor's own text may quote the request, so only the kind of the error is kept.
    """
    try:
        yield
    except openai.APIStatusError as exc:
        raise ModelFailed(f"The model's server answered {exc.status_code}.") from exc
    except (openai.OpenAIError, httpx2.HTTPError, ValueError) as exc:
        raise ModelFailed(f"The model's server failed: {type(exc).__name__}.") from exc
