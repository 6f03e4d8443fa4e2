"""OpenAI's chat completions, speech and transcriptions, as far as clients can tell.

Source: the OpenAI API reference: "Create chat completion" with streaming, "Create speech" and
"Create transcription".
"""

import base64
import io
import json
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from aiohttp import web

from tests.servers.openai_realtime import realtime
from tests.servers.vendor import KEY, Answer, Vendor, served

_HEADERS = {"Content-Type": "text/event-stream", "x-request-id": "req_of_the_tests"}


@asynccontextmanager
async def openai_server(vendor: Vendor) -> AsyncIterator[Vendor]:
    """Serve chat, speech, transcriptions and realtime for the length of the block."""

    async def models(request: web.Request) -> web.StreamResponse:
        _check(request)
        return web.json_response({"object": "list", "data": []})

    async def chat(request: web.Request) -> web.StreamResponse:
        _check(request)
        body = await request.json()
        vendor.asked.append(("chat", body))
        await vendor.hang_if_told("chat")
        return await _stream_chat(_answer(vendor, body["messages"]), body, request)

    async def speech(request: web.Request) -> web.StreamResponse:
        _check(request)
        body = await request.json()
        vendor.asked.append(("speech", body))
        await vendor.hang_if_told("speech")
        return await _stream_speech(vendor, body, request)

    async def transcriptions(request: web.Request) -> web.StreamResponse:
        _check(request)
        form = await request.post()
        vendor.asked.append(("transcriptions", {"model": form["model"]}))
        await vendor.hang_if_told("transcriptions")
        file: Any = form["file"]
        with wave.open(io.BytesIO(file.file.read())) as sound:
            samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype=np.int16)
            text = await vendor.understand(samples, sound.getframerate())
        usage = {"type": "duration", "seconds": 1}
        return web.json_response({"text": text, "usage": usage})

    async def speak_realtime(request: web.Request) -> web.StreamResponse:
        _check(request)
        vendor.asked.append(("realtime", dict(request.query)))
        return await realtime(vendor, request)

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/audio/speech", speech)
    app.router.add_post("/v1/audio/transcriptions", transcriptions)
    app.router.add_get("/v1/realtime", speak_realtime)
    async with served(vendor, app):
        yield vendor


def _check(request: web.Request) -> None:
    if request.headers.get("Authorization") != f"Bearer {KEY}":
        error = {
            "message": "Incorrect API key provided.",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_api_key",
        }
        text = json.dumps({"error": error})
        raise web.HTTPUnauthorized(text=text, content_type="application/json")


def _answer(vendor: Vendor, messages: list[dict[str, Any]]) -> Answer:
    last = messages[-1]
    if last["role"] == "tool":
        return vendor.brain.report(_text_of(last))
    said = [message for message in messages if message["role"] == "user"]
    return vendor.brain.answer(_text_of(said[-1])) if said else vendor.brain.obey("")


def _text_of(message: dict[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


async def _stream_chat(
    answer: Answer, body: dict[str, Any], request: web.Request
) -> web.StreamResponse:
    assert body["stream"] is True
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    for chunk in _chunks(answer, body):
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response


def _chunks(answer: Answer, body: dict[str, Any]) -> list[dict[str, Any]]:
    base = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": body["model"],
    }

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return base | {"choices": [choice]}

    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"content": word + " "}) for word in answer.text.split()]
    if answer.tool:
        function = {"name": answer.tool, "arguments": ""}
        head = {"index": 0, "id": "call_1", "type": "function", "function": function}
        chunks.append(chunk({"tool_calls": [head]}))
        tail = {"index": 0, "function": {"arguments": json.dumps(dict(answer.arguments))}}
        chunks.append(chunk({"tool_calls": [tail]}))
    chunks.append(chunk({}, "tool_calls" if answer.tool else "stop"))
    if body.get("stream_options", {}).get("include_usage"):
        usage = {
            "prompt_tokens": 100,
            "completion_tokens": 7,
            "total_tokens": 107,
            "prompt_tokens_details": {"cached_tokens": 40},
        }
        chunks.append(base | {"choices": [], "usage": usage})
    return chunks


async def _stream_speech(
    vendor: Vendor, body: dict[str, Any], request: web.Request
) -> web.StreamResponse:
    assert body["response_format"] == "pcm"
    pcm = await vendor.speak(body["input"])
    if body.get("stream_format") != "sse":
        return web.Response(body=pcm, content_type="audio/pcm")
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    for event in (
        {"type": "speech.audio.delta", "audio": base64.b64encode(pcm).decode()},
        {"type": "speech.audio.done", "usage": usage},
    ):
        await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
    return response
