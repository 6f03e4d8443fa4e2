"""Where a key may stand in a request."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from starlette.requests import Request
from starlette.testclient import TestClient

from gateway.auth import ApiRoute, presented_key
from gateway.validation import field_errors_of

pytestmark = pytest.mark.unit


def request_with(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"x_api_key": "pk_1"}, "pk_1"),
        ({"x_api_key": " pk_1 "}, "pk_1"),
        ({"authorization": "Bearer pk_1"}, "pk_1"),
        ({"authorization": "bearer pk_1"}, "pk_1"),
        ({"x_api_key": "pk_1", "authorization": "Bearer pk_2"}, "pk_1"),
        ({"authorization": "Basic pk_1"}, ""),
        ({"authorization": "pk_1"}, ""),
        ({}, ""),
    ],
)
def test_the_key_is_read_from_either_header(headers: dict[str, str], key: str):
    assert presented_key(request_with(**headers)) == key


class ClosedRoute(ApiRoute):
    """A route that refuses what it does not know."""

    knows_its_parameters = True


def page_of(limit: int = 20) -> int:
    return limit


def client_of(route_class: type[ApiRoute]) -> TestClient:
    router = APIRouter(route_class=route_class)

    @router.get("/calls/{call_id}")
    def read(
        call_id: str,
        limit: Annotated[int, Depends(page_of)],
        agent: Annotated[str | None, Query(alias="agentId")] = None,
    ) -> str:
        return f"{call_id} {limit} {agent}"

    app = FastAPI()
    app.include_router(router)
    return TestClient(app)


def test_parameters_of_the_route_and_of_its_dependencies_are_known():
    assert client_of(ClosedRoute).get("/calls/1?limit=5&agentId=a").json() == "1 5 a"


@pytest.mark.parametrize("name", ["agent", "agent_id", "call_id", "Limit"])
def test_a_parameter_that_the_route_does_not_know_is_refused_by_name(name: str):
    answer = client_of(ClosedRoute).get(f"/calls/1?limit=5&{name}=1")
    [error] = field_errors_of(answer.json()["detail"])
    assert (error.field, error.message) == (name, f"{name} is not a known query parameter.")


def test_a_parameter_without_a_name_is_refused_in_a_whole_sentence():
    answer = client_of(ClosedRoute).get("/calls/1?limit=5&=1")
    [error] = field_errors_of(answer.json()["detail"])
    assert (error.field, error.message) == ("", "A query parameter without a name is not known.")


def test_a_route_of_a_product_ignores_what_it_does_not_know():
    assert client_of(ApiRoute).get("/calls/1?utm_source=mail").json() == "1 20 None"
