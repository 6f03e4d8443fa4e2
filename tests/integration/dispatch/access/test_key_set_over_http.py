"""The identity provider's keys from a real server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dispatch.access.key_set import KeySet
from dispatch.errors import StoreUnavailable
from tests.builders.identity_provider import rsa_jwk

pytestmark = pytest.mark.integration

KEYS = json.dumps({"keys": [rsa_jwk("k1")]}).encode()


class Provider(ThreadingHTTPServer):
    """Answers as it is told to."""

    status = 200
    body = KEYS
    location = ""
    asked = 0

    @property
    def url(self) -> str:
        """Where the keys are."""
        return f"http://127.0.0.1:{self.server_port}/.well-known/jwks.json"


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("location", self.server.location)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_keys_are_read_from_an_address_once(provider: Provider):
    keys = KeySet(provider.url)
    assert await keys.find("k1") is not None
    assert await keys.find("k1") is not None
    assert await keys.find("k2") is None
    assert provider.asked == 1


@pytest.mark.parametrize(
    ("status", "body", "location"),
    [
        (500, KEYS, ""),
        (404, b"", ""),
        (302, b"", "http://127.0.0.1:1/elsewhere"),
        (200, b"<html>", ""),
        (200, b'{"keys": [' + b" " * 1_000_001 + b"]}", ""),
    ],
)
async def test_whatever_else_it_answers_gives_no_keys(
    provider: Provider, status: int, body: bytes, location: str
):
    provider.status, provider.body, provider.location = status, body, location
    with pytest.raises(StoreUnavailable):
        await KeySet(provider.url).find("k1")


async def test_a_provider_that_is_not_there_gives_no_keys():
    with pytest.raises(StoreUnavailable):
        await KeySet("http://127.0.0.1:1/jwks.json").find("k1")
