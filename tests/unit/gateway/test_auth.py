"""Where a key may stand in a request."""

import pytest
from starlette.requests import Request

from gateway.auth import presented_key

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
