"""OpenAI's Realtime API over a web socket, as far as clients can tell.

Source: the OpenAI API reference, "Realtime": client and server events of a conversation by voice.
"""

import asyncio
import base64
import json
import uuid
from typing import Any

from aiohttp import web

from tests.servers.vendor import SPEECH_RATE_HZ, Answer, Ear, Sound, Vendor, send

_PIECE_BYTES = SPEECH_RATE_HZ // 5 * 2

USAGE = {
    "total_tokens": 260,
    "input_tokens": 200,
    "output_tokens": 60,
    "input_token_details": {
        "text_tokens": 120,
        "audio_tokens": 80,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0},
    },
    "output_token_details": {"text_tokens": 20, "audio_tokens": 40},
}


async def realtime(vendor: Vendor, request: web.Request) -> web.StreamResponse:
    """Hold one session until the client leaves."""
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    await vendor.hang_if_told("realtime")
    session = _Session(vendor, socket)
    await session.emit("session.created", session={"id": "sess_1", "type": "realtime"})
    try:
        async for message in socket:
            event = json.loads(message.data)
            await session.take(event)
    finally:
        session.stop()
    return socket


class _Session:
    """One conversation: its items, the answer in progress, and the ear."""

    def __init__(self, vendor: Vendor, socket: web.WebSocketResponse) -> None:
        self._vendor = vendor
        self._socket = socket
        self._ear = Ear(SPEECH_RATE_HZ)
        self._speaking_item = ""
        self._last_item: str | None = None
        self._answering: asyncio.Task[None] | None = None

    async def emit(self, event_type: str, **fields: Any) -> None:
        await send(self._socket, type=event_type, event_id=f"event_{uuid.uuid4().hex}", **fields)

    def stop(self) -> None:
        if self._answering is not None:
            self._answering.cancel()

    async def take(self, event: dict[str, Any]) -> None:
        """Do what a client's event asks for."""
        match event["type"]:
            case "session.update":
                self._vendor.asked.append(("session.update", event["session"]))
                await self.emit("session.updated", session=event["session"])
            case "input_audio_buffer.append":
                await self._hear(base64.b64decode(event["audio"]))
            case "conversation.item.create":
                await self._add_item(event["item"])
            case "response.create":
                await self._vendor.hang_if_told("response")
                self._vendor.asked.append(("response.create", event["response"]))
                self._begin(self._next_answer(event["response"]), event["response"])
            case "response.cancel":
                self.stop()
            case "conversation.item.truncate":
                await self.emit(
                    "conversation.item.truncated",
                    item_id=event["item_id"],
                    content_index=event["content_index"],
                    audio_end_ms=event["audio_end_ms"],
                )
            case "conversation.item.delete":
                await self.emit("conversation.item.deleted", item_id=event["item_id"])

    async def _add_item(self, item: dict[str, Any]) -> None:
        self._pending = item
        await self.emit("conversation.item.added", previous_item_id=self._last_item, item=item)
        self._last_item = item["id"]

    _pending: dict[str, Any] | None = None

    def _next_answer(self, response: dict[str, Any]) -> Answer:
        pending, self._pending = self._pending, None
        if pending is not None and pending["type"] == "function_call_output":
            return self._vendor.brain.report(pending["output"])
        if pending is not None and pending.get("role") == "user":
            return self._vendor.brain.answer(pending["content"][0]["text"])
        return self._vendor.brain.obey(response.get("instructions") or "")

    async def _hear(self, piece: bytes) -> None:
        utterance = self._ear.listen(piece)
        if self._ear.is_listening and not self._speaking_item:
            self._speaking_item = f"item_{uuid.uuid4().hex[:12]}"
            self.stop()
            await self.emit(
                "input_audio_buffer.speech_started",
                audio_start_ms=int(self._ear.heard_s * 1000),
                item_id=self._speaking_item,
            )
        if utterance is not None:
            item_id, self._speaking_item = self._speaking_item, ""
            await self._end_turn(item_id, utterance)

    async def _end_turn(self, item_id: str, utterance: Sound) -> None:
        await self.emit(
            "input_audio_buffer.speech_stopped",
            audio_end_ms=int(self._ear.heard_s * 1000),
            item_id=item_id,
        )
        await self.emit("input_audio_buffer.committed", item_id=item_id)
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "type": "message", "role": "user", "content": content}
        await self._add_item(item)
        self._pending = None
        said = await self._vendor.understand(utterance, SPEECH_RATE_HZ)
        await self.emit(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=said,
            usage={"type": "tokens", "total_tokens": 22, "input_tokens": 13, "output_tokens": 9},
        )
        self._begin(self._vendor.brain.answer(said), {})

    def _begin(self, answer: Answer, response: dict[str, Any]) -> None:
        self.stop()
        self._answering = asyncio.create_task(self._answer(answer, response.get("metadata")))

    async def _answer(self, answer: Answer, metadata: dict[str, Any] | None) -> None:
        response_id = f"resp_{uuid.uuid4().hex[:12]}"
        base = {"id": response_id, "object": "realtime.response", "metadata": metadata}
        await self.emit("response.created", response=base | {"status": "in_progress"})
        try:
            if answer.text:
                await self._say(response_id, answer.text)
            if answer.tool:
                await self._ask_for_tool(response_id, answer)
        except asyncio.CancelledError:
            details = {"type": "cancelled", "reason": "turn_detected"}
            done = base | {"status": "cancelled", "status_details": details, "usage": USAGE}
            await self.emit("response.done", response=done)
            raise
        await self.emit("response.done", response=base | {"status": "completed", "usage": USAGE})

    async def _say(self, response_id: str, text: str) -> None:
        place = {"response_id": response_id, "output_index": 0}
        item_id = f"item_{uuid.uuid4().hex[:12]}"
        item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        await self.emit("response.output_item.added", item=item, **place)
        await self._add_item(item)
        self._pending = None
        part = {**place, "item_id": item_id, "content_index": 0}
        await self.emit(
            "response.content_part.added", part={"type": "audio", "transcript": ""}, **part
        )
        await self.emit("response.output_audio_transcript.delta", delta=text, **part)
        pcm = await self._vendor.speak(text)
        for start in range(0, len(pcm), _PIECE_BYTES):
            piece = base64.b64encode(pcm[start : start + _PIECE_BYTES]).decode()
            await self.emit("response.output_audio.delta", delta=piece, **part)
        await self.emit("response.output_audio.done", **part)
        await self.emit("response.output_audio_transcript.done", transcript=text, **part)
        spoken = item | {"content": [{"type": "output_audio", "transcript": text}]}
        await self.emit("response.output_item.done", item=spoken, **place)

    async def _ask_for_tool(self, response_id: str, answer: Answer) -> None:
        place = {"response_id": response_id, "output_index": 1}
        item = {
            "id": f"item_{uuid.uuid4().hex[:12]}",
            "type": "function_call",
            "call_id": f"call_{uuid.uuid4().hex[:12]}",
            "name": answer.tool,
            "arguments": "",
        }
        await self.emit("response.output_item.added", item=item, **place)
        await self._add_item(item)
        self._pending = None
        asked = item | {"arguments": json.dumps(dict(answer.arguments))}
        await self.emit("response.output_item.done", item=asked, **place)
