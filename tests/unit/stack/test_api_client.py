"""Errors of the API, as the command line tells them."""

import httpx
import pytest

from stack.api_client import ApiClient, message_of
from stack.errors import ApiRefused, StackNotRunning

pytestmark = pytest.mark.unit


def client_of(answer: httpx.Response | Exception) -> ApiClient:
    def handle(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = httpx.MockTransport(handle)
    return ApiClient(httpx.AsyncClient(transport=transport, base_url="http://gateway"))


def test_tells_the_apis_own_sentence_and_the_fields() -> None:
    details = [{"field": "number", "message": "not E.164"}]
    body = {"error": {"code": "VALIDATION_ERROR", "message": "No.", "details": details}}
    assert message_of(httpx.Response(400, json=body)) == "No. (number: not E.164)"


def test_tells_a_plain_detail() -> None:
    assert message_of(httpx.Response(404, json={"detail": "Not there"})) == "Not there"


def test_tells_the_beginning_of_what_is_not_json() -> None:
    assert message_of(httpx.Response(502, text="Bad gateway")) == "Bad gateway"


async def test_an_error_answer_keeps_its_status() -> None:
    with pytest.raises(ApiRefused, match="GET /v1/x was answered with 402") as raised:
        await client_of(httpx.Response(402, json={})).get("/v1/x")
    assert raised.value.status == 402


async def test_nobody_answering_means_no_stack_runs() -> None:
    with pytest.raises(StackNotRunning, match="make up"):
        await client_of(httpx.ConnectError("refused")).get("/v1/x")


async def test_an_empty_answer_is_an_empty_object() -> None:
    assert await client_of(httpx.Response(204)).delete("/v1/x") == {}
