"""The bare framework for voice sessions: a FastAPI route that makes a room and a token."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from livekit import api

from bench.agent import MINIMAL_NAME

_KEY, _SECRET = os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"]
_URL = os.environ["LIVEKIT_URL"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one LiveKit client."""
    app.state.livekit = api.LiveKitAPI(_URL, _KEY, _SECRET)
    yield
    await app.state.livekit.aclose()


app = FastAPI(lifespan=lifespan)


@app.post("/sessions", status_code=201)
async def open_session(body: dict[str, str]) -> dict[str, str]:
    """Make a room with an agent dispatch, and a token for it."""
    room = f"bare_{uuid4().hex}"
    await app.state.livekit.room.create_room(
        api.CreateRoomRequest(
            name=room, empty_timeout=60, agents=[api.RoomAgentDispatch(agent_name=MINIMAL_NAME)]
        )
    )
    token = (
        api.AccessToken(_KEY, _SECRET)
        .with_identity(body["agentId"])
        .with_ttl(timedelta(hours=1))
        .with_grants(api.VideoGrants(room_join=True, room=room))
        .to_jwt()
    )
    return {"room": room, "token": token, "serverUrl": _URL}


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["BARE_PORT"]),
        log_level="warning",
        access_log=False,
    )
