"""A server that speaks OpenAI's embeddings protocol, without a model: hashed n-grams of letters.

Texts that share parts of words point in similar directions, whatever the words' endings and
spelling, and a few pairs of words are taught to mean the same; numbers all look alike to it, as
part numbers do to most models. That is little of what a real model knows, but enough to tell search
by meaning from search by words, and it is the same every time.
"""

import hashlib
import json
import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = 384
KEY = "sk-of-the-tests"

SYNONYMS = {
    "refund": "money back",
    "vehicle": "car",
    "physician": "doctor",
    "invoice": "bill",
}


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the text's vector, of length 1."""
    text = re.sub(r"\d", "0", text.lower())
    for word, meaning in SYNONYMS.items():
        text = text.replace(word, meaning)
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text):
        padded = f"^{word}$"
        for start in range(len(padded) - 2):
            digest = hashlib.blake2b(padded[start : start + 3].encode(), digest_size=8).digest()
            place = int.from_bytes(digest[:4], "big") % dimensions
            vector[place] += 1.0 if digest[4] & 1 else -1.0
    length = math.hypot(*vector)
    return [number / length for number in vector] if length else [1.0, *vector[1:]]


class EmbeddingServer:
    """A running server, and what it was asked.

    Attributes:
        base_url: Up to the protocol's version, as clients are given it.
        requests: The bodies of all requests, in their order.
        failing_with: A status to answer everything with, until it is None again.
        failing_after: So many requests are answered, all others with 503.
        dimensions: Length of the vectors.
        usage: What it says it read, in place of the truth.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.failing_with: int | None
        self.failing_after: int | None
        self.dimensions: int
        self.usage: dict[str, Any] | None
        self.reset()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.base_url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def reset(self) -> None:
        """Be in good health, and forget what was asked."""
        self.requests.clear()
        self.failing_with = None
        self.failing_after = None
        self.dimensions = DIMENSIONS
        self.usage = None

    def serve(self) -> None:
        """Serve until `close` is called."""
        self._http.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Stop, and free the port."""
        self._http.shutdown()
        self._http.server_close()

    def answer(self, body: dict[str, Any], authorization: str) -> tuple[int, dict[str, Any]]:
        """Return status and body as OpenAI would."""
        is_tired = self.failing_after is not None and len(self.requests) >= self.failing_after
        if self.failing_with is not None or is_tired:
            return self.failing_with or 503, _error("The server cannot answer now.")
        if authorization != f"Bearer {KEY}":
            return 401, _error("Incorrect API key provided.")
        if body["model"] != "letters":
            return 404, _error("The model does not exist.")
        self.requests.append(body)
        inputs: Sequence[str] = body["input"]
        tokens = sum(len(text.split()) for text in inputs)
        return 200, {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": embed(text, self.dimensions)}
                for index, text in enumerate(inputs)
            ],
            "model": body["model"],
            "usage": self.usage or {"prompt_tokens": tokens, "total_tokens": tokens},
        }


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": None}}


def _handler(server: EmbeddingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.path == "/v1/embeddings"
            status, answer = server.answer(body, self.headers.get("authorization", ""))
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler


@contextmanager
def running_embeddings() -> Iterator[EmbeddingServer]:
    """Run a server for as long as the block lasts."""
    server = EmbeddingServer()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.close()
    thread.join()
