"""A server that streams chat completions as OpenAI does, and answers what a test tells it to.

Source: the OpenAI API reference, "Create chat completion", streaming.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-of-the-tests"


@dataclass(frozen=True)
class Call:
    """The model asks for a tool."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """One rehearsed answer.

    Attributes:
        says: The pieces of its text.
        calls: The tools it asks for afterwards.
        usage: Prompt and completion tokens, and cached ones of the prompt; None does not count.
        breaks_after: The connection breaks after so many pieces.
        status: An error to answer instead.
    """

    says: Sequence[str] = ()
    calls: Sequence[Call] = ()
    usage: tuple[int, int, int] | None = (10, 5, 0)
    breaks_after: int | None = None
    status: int = 200


class OpenAIChatServer:
    """A running server, its rehearsed answers, and what it was asked.

    Attributes:
        base_url: Up to the protocol's version, as clients are given it.
        replies: The answers to come; without one it repeats what it was told last.
        requests: The bodies of all requests, in their order.
        keys: The keys they came with.
        gate: Answers pause after their first piece while it is not set.
    """

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.host = f"127.0.0.1:{self._http.server_port}"
        self.base_url = f"http://{self.host}/v1"

    @contextmanager
    def running(self) -> Iterator["OpenAIChatServer"]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.gate.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def next_reply(self, request: dict[str, Any]) -> Reply:
        """Return the answer to a request."""
        if self.replies:
            return self.replies.pop(0)
        return Reply(says=["You said: ", str(request["messages"][-1]["content"])])


def _chunks(reply: Reply, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    base = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": request["model"],
    }

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return base | {"choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in reply.says:
        yield chunk({"content": piece})
    for index, call in enumerate(reply.calls):
        function = {"name": call.name, "arguments": ""}
        head = {"index": index, "id": f"call_{index}", "type": "function", "function": function}
        yield chunk({"tool_calls": [head]})
        arguments = json.dumps(call.arguments)
        # Arguments come in pieces, too.
        for piece in (arguments[:3], arguments[3:]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, "tool_calls" if reply.calls else "stop")
    if reply.usage is not None:
        read, written, cached = reply.usage
        yield base | {
            "choices": [],
            "usage": {
                "prompt_tokens": read,
                "completion_tokens": written,
                "total_tokens": read + written,
                "prompt_tokens_details": {"cached_tokens": cached},
            },
        }


def _handler(server: OpenAIChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = json.loads(body)
            server.requests.append(request)
            server.keys.append(self.headers["authorization"].removeprefix("Bearer "))
            reply = server.next_reply(request)
            if self.path != "/v1/chat/completions":
                self._refuse(404)
            elif reply.status != 200:
                self._refuse(reply.status)
            else:
                self._stream(reply, request)

        def _stream(self, reply: Reply, request: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for index, chunk in enumerate(_chunks(reply, request)):
                if reply.breaks_after is not None and index > reply.breaks_after:
                    return
                self.wfile.write(b"data: %s\n\n" % json.dumps(chunk).encode())
                self.wfile.flush()
                if index == 1:
                    server.gate.wait(20)
            self.wfile.write(b"data: [DONE]\n\n")

        def _refuse(self, status: int) -> None:
            body = json.dumps({"error": {"message": "Refused: sk-secret", "type": "error"}})
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_args: Any) -> None:
            """Stay silent."""

    return Handler
