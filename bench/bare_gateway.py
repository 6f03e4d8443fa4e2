"""The bare framework: a FastAPI route that makes a room and a token, and one that reads a row."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from livekit import api
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from bench.agent import MINIMAL_NAME

_KEY, _SECRET = os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"]
_URL = os.environ["LIVEKIT_URL"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one LiveKit client and one pool of connections."""
    app.state.livekit = api.LiveKitAPI(_URL, _KEY, _SECRET)
    app.state.postgres = create_async_engine(os.environ["DATABASE_URL"], pool_size=10)
    yield
    await app.state.livekit.aclose()
    await app.state.postgres.dispose()


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


@app.get("/row")
async def read_row() -> dict[str, str]:
    """Read one row."""
    async with app.state.postgres.connect() as connection:
        row = (await connection.execute(text("SELECT id, name FROM projects LIMIT 1"))).one()
    return {"id": str(row.id), "name": row.name}


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["BARE_PORT"]),
        log_level="warning",
        access_log=False,
    )
