"""Tools against a real server on this machine: requests, answers, time."""

import asyncio
import gzip
from collections.abc import Mapping
from typing import Any

import pytest

from dispatch.errors import StoreUnavailable
from dispatch.tools.runner import LONGEST_ANSWER_BYTES, HttpToolRunner
from tests.builders.tools import CRM_KEY, http_tool, secrets_of
from tests.servers.tool_server import Reply, ToolServer, json_reply

pytestmark = pytest.mark.integration

ORDER = {
    "type": "object",
    "properties": {"order": {"type": "string", "pattern": "^[0-9]+$"}},
    "required": ["order"],
    "additionalProperties": False,
}


class TestTheRequest:
    async def test_arguments_are_the_json_body(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        result = await runner.run(http_tool(server.url("/orders")), {"order": "12"}, secrets_of)

        [request] = server.received
        assert (request.method, request.target, request.json) == (
            "POST",
            "/orders",
            {"order": "12"},
        )
        assert request.headers["content-type"] == "application/json"
        assert (result.text, result.is_error, result.status) == ('{"status":"sent"}', False, 200)

    async def test_arguments_of_a_get_are_in_the_query(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        arguments = {"order": "1 2", "open": True, "tags": ["a", "b"], "at": {"x": 1}, "no": None}
        await runner.run(http_tool(server.url("/o?v=1"), method="GET"), arguments, secrets_of)

        [request] = server.received
        assert request.target == "/o?v=1&order=1+2&open=true&tags=a&tags=b&at=%7B%22x%22%3A+1%7D"
        assert request.body == b""

    async def test_headers_carry_the_projects_secrets(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        headers = {"Authorization": "Bearer {{secret:crm.api_key}}"}
        await runner.run(http_tool(server.url(), headers=headers), {}, secrets_of)

        assert server.received[0].headers["authorization"] == f"Bearer {CRM_KEY}"

    async def test_arguments_that_do_not_fit_are_never_sent(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        result = await runner.run(
            http_tool(server.url(), parameters=ORDER), {"order": "x"}, secrets_of
        )

        assert result.is_error
        assert result.text == "The arguments do not fit. order: does not match ^[0-9]+$"
        assert server.received == []

    @pytest.mark.parametrize(
        ("placeholder", "sentence"),
        [
            ("{{secret:crm.other}}", "The tool is not set up: the secret crm.other is missing."),
            (
                "{{secret:none.api_key}}",
                "The tool is not set up: the secret none.api_key is missing.",
            ),
            ("{{secret:crm.broken}}", "The secret crm.broken cannot be sent in a header."),
        ],
    )
    async def test_without_its_secret_a_tool_is_not_called(
        self, server: ToolServer, runner: HttpToolRunner, placeholder: str, sentence: str
    ) -> None:
        result = await runner.run(
            http_tool(server.url(), headers={"X": placeholder}), {}, secrets_of
        )

        assert (result.is_error, result.text) == (True, sentence)
        assert server.received == []

    async def test_secrets_that_cannot_be_read_are_said_to_be_away(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        async def away(_provider: str) -> Mapping[str, str]:
            raise StoreUnavailable("away")

        headers = {"X": "{{secret:crm.api_key}}"}
        result = await runner.run(http_tool(server.url(), headers=headers), {}, away)

        assert (result.is_error, result.text) == (True, "The tool's secrets cannot be read now.")


class TestTheAnswer:
    async def test_a_secret_that_comes_back_is_not_told(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda request: json_reply(dict(request.headers))
        headers = {"X-Key": "{{secret:crm.api_key}}"}
        result = await runner.run(http_tool(server.url(), headers=headers), {}, secrets_of)

        assert CRM_KEY not in result.text
        assert '"x-key":"[secret]"' in result.text

    async def test_an_error_is_told_with_the_beginning_of_its_body(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda _request: Reply(b"No such order." + b"." * 5_000, 404)
        result = await runner.run(http_tool(server.url()), {}, secrets_of)

        assert result.is_error
        assert result.status == 404
        assert result.text.startswith("The tool answered with the error 404. No such order.")
        assert len(result.text) < 600

    @pytest.mark.parametrize(
        ("reply", "sentence"),
        [
            (Reply(b"x" * (LONGEST_ANSWER_BYTES + 1)), "The tool's answer is longer than 64 KiB."),
            (
                Reply(gzip.compress(b"x" * 9), headers={"Content-Encoding": "gzip"}),
                "The tool answered with a packed body although it was asked not to.",
            ),
            (
                Reply(b"\x89PNG", headers={"Content-Type": "image/png"}),
                "The tool answered with something that is neither text nor JSON.",
            ),
            (Reply(b"half of it", cut=True), "The connection to the tool broke."),
            (
                Reply(headers={"Location": "/again"}, status=302),
                "The tool redirects more than 3 times.",
            ),
            (
                Reply(headers={"Location": "https://user:pw@example.com/"}, status=302),
                "The tool redirects to something that cannot be called.",
            ),
            (
                Reply(headers={"Location": "file:///etc/passwd"}, status=302),
                "The tool redirects to something that cannot be called.",
            ),
        ],
    )
    async def test_an_answer_that_cannot_be_used_is_a_sentence(
        self, server: ToolServer, runner: HttpToolRunner, reply: Reply, sentence: str
    ) -> None:
        server.behave = lambda _request: reply
        result = await runner.run(http_tool(server.url()), {}, secrets_of)

        assert (result.is_error, result.text) == (True, sentence)

    @pytest.mark.parametrize(
        ("reply", "text"),
        [
            (Reply(b""), "The tool answered without content."),
            (Reply(b"a\0b"), "ab"),
            (
                Reply(
                    "Zürich".encode("latin-1"),
                    headers={"Content-Type": "text/plain; charset=latin-1"},
                ),
                "Zürich",
            ),
            (
                Reply(b"a\xffb", headers={"Content-Type": "text/plain; charset=nonsense"}),
                "a\N{REPLACEMENT CHARACTER}b",
            ),
            (Reply(b"[" * 5_000), "[" * 5_000),
        ],
    )
    async def test_any_text_is_an_answer(
        self, server: ToolServer, runner: HttpToolRunner, reply: Reply, text: str
    ) -> None:
        server.behave = lambda _request: reply
        result = await runner.run(http_tool(server.url()), {}, secrets_of)

        assert (result.is_error, result.text) == (False, text)

    async def test_one_tenants_cookies_are_not_anothers(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda _request: Reply(b"ok", headers={"Set-Cookie": "who=first"})
        await runner.run(http_tool(server.url()), {}, secrets_of)
        await runner.run(http_tool(server.url()), {}, secrets_of)

        assert "cookie" not in server.received[1].headers


class TestTimeAndRepetition:
    async def test_a_slow_tool_is_given_up(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda _request: Reply(b"late", pause_s=30)
        result = await runner.run(http_tool(server.url(), timeout_s=0.2), {}, secrets_of)

        assert (result.is_error, result.text) == (
            True,
            "The tool did not answer within 0.2 seconds.",
        )

    async def test_a_call_that_is_given_up_stops_the_request(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda _request: Reply(b"late", pause_s=30)
        calling = asyncio.create_task(runner.run(http_tool(server.url()), {}, secrets_of))
        async with asyncio.timeout(30):
            while not server.received:
                await asyncio.sleep(0.01)
        calling.cancel()

        with pytest.raises(asyncio.CancelledError):
            await calling

    @pytest.mark.parametrize(
        ("http", "times"),
        [
            ({"method": "POST"}, 1),
            ({"method": "DELETE"}, 1),
            ({"method": "GET"}, 2),
            ({"method": "POST", "is_idempotent": True}, 2),
        ],
    )
    async def test_only_what_may_be_repeated_is_repeated(
        self, server: ToolServer, runner: HttpToolRunner, http: dict[str, Any], times: int
    ) -> None:
        server.behave = lambda _request: Reply(b"busy", 503)
        result = await runner.run(http_tool(server.url(), max_attempts=2, **http), {}, secrets_of)

        assert len(server.received) == times
        assert (result.status, result.text) == (503, "The tool answered with the error 503. busy")

    async def test_a_repetition_that_succeeds_is_the_answer(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda _request: (
            Reply(b"", cut=True, headers={"Content-Length": "9"})
            if len(server.received) == 1
            else Reply(b"at last")
        )
        result = await runner.run(http_tool(server.url(), method="GET"), {}, secrets_of)

        assert (result.is_error, result.text) == (False, "at last")
