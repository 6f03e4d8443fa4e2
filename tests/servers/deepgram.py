"""Deepgram's streaming recognition and speech, as far as clients can tell.

Source: developers.deepgram.com/reference: "Live Audio" (listen) and "Text to Speech WebSocket".
"""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from tests.servers.vendor import KEY, Ear, Vendor, send, served


@asynccontextmanager
async def deepgram_server(vendor: Vendor) -> AsyncIterator[Vendor]:
    """Serve `/v1/listen` and `/v1/speak` for the length of the block."""

    async def listen(request: web.Request) -> web.StreamResponse:
        return await _listen(vendor, request)

    async def speak(request: web.Request) -> web.StreamResponse:
        return await _speak(vendor, request)

    app = web.Application()
    app.router.add_get("/v1/listen", listen)
    app.router.add_get("/v1/speak", speak)
    async with served(vendor, app):
        yield vendor


def _check(vendor: Vendor, endpoint: str, request: web.Request) -> None:
    vendor.asked.append((endpoint, dict(request.query)))
    if request.headers.get("Authorization") != f"Token {KEY}":
        body = {"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials.", "request_id": "r"}
        raise web.HTTPUnauthorized(text=json.dumps(body), content_type="application/json")


async def _listen(vendor: Vendor, request: web.Request) -> web.StreamResponse:
    _check(vendor, "listen", request)
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await vendor.hang_if_told("listen")
    rate_hz = int(request.query["sample_rate"])
    assert request.query["encoding"] == "linear16"
    ear = Ear(rate_hz)
    request_id, said_it = str(uuid.uuid4()), False
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            if json.loads(message.data)["type"] == "CloseStream":
                await send(socket, type="Metadata", request_id=request_id, duration=ear.heard_s)
                break
            continue
        utterance = ear.listen(message.data)
        if ear.is_listening and not said_it:
            said_it = True
            await send(socket, type="SpeechStarted", channel=[0], timestamp=ear.heard_s)
        if utterance is not None:
            said_it = False
            text = await vendor.understand(utterance, rate_hz)
            await send(socket, **_results(text, ear.heard_s, request_id))
    return socket


def _results(text: str, until_s: float, request_id: str) -> dict[str, Any]:
    words = [
        {"word": word, "start": until_s, "end": until_s, "confidence": 0.9, "punctuated_word": word}
        for word in text.split()
    ]
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": 1.0,
        "start": until_s - 1.0,
        "is_final": True,
        "speech_final": True,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": words}]},
        "metadata": {"request_id": request_id, "model_uuid": str(uuid.uuid4()), "model_info": {}},
    }


async def _speak(vendor: Vendor, request: web.Request) -> web.StreamResponse:
    _check(vendor, "speak", request)
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await vendor.hang_if_told("speak")
    assert (request.query["encoding"], request.query["sample_rate"]) == ("linear16", "24000")
    text: list[str] = []
    async for message in socket:
        event = json.loads(message.data)
        match event["type"]:
            case "Speak":
                text.append(event["text"])
            case "Flush":
                await socket.send_bytes(await vendor.speak("".join(text)))
                text.clear()
                await send(socket, type="Flushed", sequence_id=0)
            case "Close":
                break
    return socket
