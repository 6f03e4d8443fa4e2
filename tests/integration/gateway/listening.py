"""A gateway that listens: for clients that need an address, such as curl and Node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from gateway.http_protocol import JoiningProtocol


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application that is open already on a free port; yields its address."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=JoiningProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        # Whoever is not answered when the test is over has failed it, and must not hang it.
        timeout_graceful_shutdown=30,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(30):
            while not server.started:
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving
