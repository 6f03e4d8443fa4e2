"""An answer as Agntix's server-sent events: `data: {"id","delta"}` …, then `data: [DONE]`.

An answer that breaks off ends with `data: {"id","error":{"code","message"}}` and no `[DONE]`, which
is ours: no published text says what comes then.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from dispatch.chat.events import ChatError, Chunk, StreamEnd
from dispatch.chat.turns import Turn
from dispatch.conversations import answer_id_of

_PING_EVERY_S: Final = 15.0
"""Proxies close what is silent; a tool may take a minute."""

STREAM_EXAMPLE: Final = """data: {"id":"0d2f5e0a-6f0e-5a3a-9d57-0f6a1a3f7b11","delta":"From nine"}

data: {"id":"0d2f5e0a-6f0e-5a3a-9d57-0f6a1a3f7b11","delta":" to five."}

data: [DONE]

"""


async def frames_of(turn: Turn) -> AsyncIterator[bytes]:
    """Yield an answer as it is written; leaving early does not stop it."""
    answer_id = str(answer_id_of(turn.id))
    events = turn.events()
    coming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=_PING_EVERY_S)
            if not done:
                yield KEEPALIVE_COMMENT
                continue
            event = coming.result()
            if event is None:
                return
            coming = asyncio.ensure_future(anext(events, None))
            match event:
                case Chunk():
                    yield _frame({"id": answer_id, "delta": event.delta})
                case StreamEnd():
                    yield format_sse_event(data_str="[DONE]")
                case ChatError():
                    error = {"code": "GENERIC_ERROR", "message": event.sentence}
                    yield _frame({"id": answer_id, "error": error})
                case _:
                    # Agntix's clients are told of words only, not of tools.
                    pass
    finally:
        coming.cancel()


def _frame(data: dict[str, Any]) -> bytes:
    return format_sse_event(data_str=orjson.dumps(data).decode())
