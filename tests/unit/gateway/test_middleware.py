"""Ids, size limits and log lines of requests."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.middleware import BodyLimit, RequestContext

pytestmark = pytest.mark.unit

LIMIT = 10


async def echo(request: Request) -> Response:
    return JSONResponse({"length": len(await request.body()), "id": request.state.request_id})


async def crash(request: Request) -> Response:
    raise ZeroDivisionError


async def too_long(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"said": error.detail}, status_code=error.status_code)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(
        routes=[
            Route("/numbers/{number}", echo, methods=["POST"]),
            Route("/crash", crash),
        ],
        middleware=[Middleware(RequestContext), Middleware(BodyLimit, max_bytes=LIMIT)],
        exception_handlers={413: too_long},
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_request_id_is_made_and_returned(client: httpx.AsyncClient):
    answer = await client.post("/numbers/1")
    assert answer.headers["x-request-id"] == answer.json()["id"]
    assert answer.json()["id"].startswith("req_")


async def test_a_given_request_id_is_kept(client: httpx.AsyncClient):
    answer = await client.post("/numbers/1", headers={"x-request-id": "trace-1.2:3"})
    assert answer.headers["x-request-id"] == "trace-1.2:3"


@pytest.mark.parametrize("bad", ["", "a b", "x" * 65, 'a"b'])
async def test_a_request_id_that_could_break_a_log_is_replaced(client: httpx.AsyncClient, bad: str):
    answer = await client.post("/numbers/1", headers={"x-request-id": bad})
    assert answer.headers["x-request-id"].startswith("req_")


async def test_a_body_up_to_the_limit_passes(client: httpx.AsyncClient):
    assert (await client.post("/numbers/1", content=b"x" * LIMIT)).json()["length"] == LIMIT


async def test_an_announced_body_above_the_limit_is_refused(client: httpx.AsyncClient):
    answer = await client.post("/numbers/1", content=b"x" * (LIMIT + 1))
    assert answer.status_code == 413
    assert answer.json() == {"said": "The body is longer than 10 bytes."}


async def test_a_streamed_body_above_the_limit_is_refused(client: httpx.AsyncClient):
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LIMIT + 1):
            yield b"x"

    assert (await client.post("/numbers/1", content=chunks())).status_code == 413


async def test_each_request_is_logged_once_and_without_its_path(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, logger="gateway.middleware"):
        await client.post("/numbers/+12015550100?from=+12015550199")
    [record] = [record for record in caplog.records if record.name == "gateway.middleware"]
    assert record.getMessage() == "request served"
    assert "5550" not in str(vars(record))
    assert (vars(record)["method"], vars(record)["status"]) == ("POST", 200)


async def test_a_crash_is_logged_as_500(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, logger="gateway.middleware"):
        await client.get("/crash")
    assert [vars(record)["status"] for record in caplog.records if "status" in vars(record)] == [
        500
    ]
