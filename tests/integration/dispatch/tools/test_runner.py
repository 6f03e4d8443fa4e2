"""Tools against a real server on this machine, and against addresses they may not reach."""

import asyncio
import gzip
import socket
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpcore
import pytest

from dispatch.errors import StoreUnavailable
from dispatch.tool_definition import ToolDefinition
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.runner import LONGEST_ANSWER_BYTES, HttpToolRunner
from tests.builders.certificates import tls_for
from tests.servers.tool_server import Reply, ToolServer, json_reply, running_tool_server

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ORDER = {
    "type": "object",
    "properties": {"order": {"type": "string", "pattern": "^[0-9]+$"}},
    "required": ["order"],
    "additionalProperties": False,
}
ANYTHING = {"type": "object"}
KEY = "crm-key-0123456789"


def tool(url: str, **http: Any) -> ToolDefinition:
    parameters = http.pop("parameters", ANYTHING)
    return ToolDefinition.model_validate(
        {
            "tool_id": uuid.uuid4(),
            "name": "look_up",
            "parameters": parameters,
            "http": {"url": url, **http},
            "created_at": NOW,
            "updated_at": NOW,
        }
    )


async def secrets(provider: str) -> Mapping[str, str]:
    return {"crm": {"api_key": KEY, "broken": "a\r\nb"}}.get(provider, {})


@pytest.fixture
async def server() -> AsyncIterator[ToolServer]:
    async with running_tool_server(lambda _request: json_reply({"status": "sent"})) as server:
        yield server


@pytest.fixture
async def runner() -> AsyncIterator[HttpToolRunner]:
    """A runner whose operator allows 127.0.0.1."""
    runner = HttpToolRunner(AllowedHosts(["127.0.0.1"]))
    yield runner
    await runner.aclose()


@pytest.fixture
async def strict() -> AsyncIterator[HttpToolRunner]:
    """A runner that may reach public hosts only."""
    runner = HttpToolRunner(AllowedHosts())
    yield runner
    await runner.aclose()


class TestTheRequest:
    async def test_arguments_are_the_json_body(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        result = await runner.run(tool(server.url("/orders")), {"order": "12"}, secrets)

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
        await runner.run(tool(server.url("/o?v=1"), method="GET"), arguments, secrets)

        [request] = server.received
        assert request.target == "/o?v=1&order=1+2&open=true&tags=a&tags=b&at=%7B%22x%22%3A+1%7D"
        assert request.body == b""

    async def test_headers_carry_the_projects_secrets(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        headers = {"Authorization": "Bearer {{secret:crm.api_key}}"}
        await runner.run(tool(server.url(), headers=headers), {}, secrets)

        assert server.received[0].headers["authorization"] == f"Bearer {KEY}"

    async def test_arguments_that_do_not_fit_are_never_sent(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        result = await runner.run(tool(server.url(), parameters=ORDER), {"order": "x"}, secrets)

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
        result = await runner.run(tool(server.url(), headers={"X": placeholder}), {}, secrets)

        assert (result.is_error, result.text) == (True, sentence)
        assert server.received == []

    async def test_secrets_that_cannot_be_read_are_said_to_be_away(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        async def away(_provider: str) -> Mapping[str, str]:
            raise StoreUnavailable("away")

        headers = {"X": "{{secret:crm.api_key}}"}
        result = await runner.run(tool(server.url(), headers=headers), {}, away)

        assert (result.is_error, result.text) == (True, "The tool's secrets cannot be read now.")


class TestTheAnswer:
    async def test_a_secret_that_comes_back_is_not_told(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda request: json_reply(dict(request.headers))
        headers = {"X-Key": "{{secret:crm.api_key}}"}
        result = await runner.run(tool(server.url(), headers=headers), {}, secrets)

        assert KEY not in result.text
        assert '"x-key":"[secret]"' in result.text

    async def test_an_error_is_told_with_the_beginning_of_its_body(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda _request: Reply(b"No such order." + b"." * 5_000, 404)
        result = await runner.run(tool(server.url()), {}, secrets)

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
        result = await runner.run(tool(server.url()), {}, secrets)

        assert (result.is_error, result.text) == (True, sentence)

    @pytest.mark.parametrize(
        ("reply", "text"),
        [
            (Reply(b""), "The tool answered without content."),
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
        result = await runner.run(tool(server.url()), {}, secrets)

        assert (result.is_error, result.text) == (False, text)

    async def test_one_tenants_cookies_are_not_anothers(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda _request: Reply(b"ok", headers={"Set-Cookie": "who=first"})
        await runner.run(tool(server.url()), {}, secrets)
        await runner.run(tool(server.url()), {}, secrets)

        assert "cookie" not in server.received[1].headers


class TestTimeAndRepetition:
    async def test_a_slow_tool_is_given_up(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda _request: Reply(b"late", pause_s=30)
        result = await runner.run(tool(server.url(), timeout_s=0.2), {}, secrets)

        assert (result.is_error, result.text) == (
            True,
            "The tool did not answer within 0.2 seconds.",
        )

    async def test_a_call_that_is_given_up_stops_the_request(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda _request: Reply(b"late", pause_s=30)
        calling = asyncio.create_task(runner.run(tool(server.url()), {}, secrets))
        async with asyncio.timeout(5):
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
        result = await runner.run(tool(server.url(), max_attempts=2, **http), {}, secrets)

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
        result = await runner.run(tool(server.url(), method="GET"), {}, secrets)

        assert (result.is_error, result.text) == (False, "at last")


class TestRedirects:
    async def test_within_an_origin_the_headers_go_along(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        server.behave = lambda request: (
            Reply(status=307, headers={"Location": "/new"})
            if request.target == "/old"
            else Reply(b"here")
        )
        headers = {"Authorization": "{{secret:crm.api_key}}"}
        result = await runner.run(tool(server.url("/old"), headers=headers), {"a": 1}, secrets)

        assert result.text == "here"
        assert server.received[1].headers["authorization"] == KEY
        assert (server.received[1].method, server.received[1].json) == ("POST", {"a": 1})

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_another_origin_sees_none_of_the_tools_headers(
        self, server: ToolServer, status: int
    ) -> None:
        async with running_tool_server(lambda _request: Reply(b"elsewhere")) as other:
            server.behave = lambda _request: Reply(
                status=status, headers={"Location": other.url("/taken", host="localhost")}
            )
            runner = HttpToolRunner(AllowedHosts(["127.0.0.1", "localhost"]))
            headers = {"Authorization": "{{secret:crm.api_key}}", "X-Plain": "of the tool"}
            result = await runner.run(tool(server.url(), headers=headers), {"a": 1}, secrets)
            await runner.aclose()

        assert result.text == "elsewhere"
        [request] = other.received
        assert KEY not in str(request.headers)
        assert "x-plain" not in request.headers
        assert request.method == ("POST" if status in {307, 308} else "GET")

    async def test_a_redirect_to_a_host_that_is_not_allowed_is_not_followed(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        async with running_tool_server(lambda _request: Reply(b"private")) as private:
            server.behave = lambda _request: Reply(
                status=302, headers={"Location": private.url(host="localhost")}
            )
            result = await runner.run(tool(server.url(), method="GET"), {}, secrets)

        assert result.is_error
        assert private.received == []


ATTACKS = (
    "https://127.0.0.1:{port}/",
    "https://127.1:{port}/",
    "https://2130706433:{port}/",
    "https://0x7f000001:{port}/",
    "https://0:{port}/",
    "https://localhost:{port}/",
    "https://LOCALHOST.:{port}/",
    "https://[::1]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[::ffff:7f00:1]:{port}/",
    "https://[64:ff9b::7f00:1]:{port}/",
    "https://[fe80::1%25lo]:{port}/",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal/",
    "http://example.com:{port}/",
    "https://ip6-localhost:{port}/",
)


class TestAddressesThatAreNotPublic:
    @pytest.mark.parametrize("url", ATTACKS)
    async def test_none_is_reached_in_whatever_way_it_is_written(
        self, server: ToolServer, strict: HttpToolRunner, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connected: list[str] = []

        async def connect(_self: object, host: str, *_args: object, **_options: object) -> None:
            connected.append(host)
            raise httpcore.ConnectError

        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
        result = await strict.run(
            tool(url.format(port=server.port), timeout_s=5, max_attempts=1), {}, secrets
        )

        assert result.is_error
        assert connected == []

    async def test_a_name_is_looked_up_once_and_the_judged_address_connected_to(
        self, strict: HttpToolRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = iter([["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]])
        connected: list[str] = []
        resolve_as(monkeypatch, lambda: next(answers))

        async def connect(_self: object, host: str, *_args: object, **_options: object) -> None:
            connected.append(host)
            raise httpcore.ConnectError

        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
        result = await strict.run(tool("https://rebinding.example/", max_attempts=2), {}, secrets)

        assert connected == ["93.184.215.14"]
        assert (result.is_error, result.text) == (True, "This host is not at a public address.")

    async def test_of_several_addresses_only_public_ones_are_tried(
        self, strict: HttpToolRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connected: list[str] = []
        resolve_as(monkeypatch, lambda: ["10.0.0.1", "93.184.215.14", "::1", "2606:4700::1111"])

        async def connect(_self: object, host: str, _port: int, limit_s: float, *_: object) -> None:
            connected.append(host)
            assert limit_s == 3
            raise httpcore.ConnectTimeout

        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
        result = await strict.run(tool("https://mixed.example/", max_attempts=1), {}, secrets)

        assert connected == ["93.184.215.14", "2606:4700::1111"]
        assert result.text == "The tool cannot be reached."

    async def test_the_server_proves_its_name_and_hears_it_at_the_judged_address(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server_tls, client_tls = tls_for("crm.example")
        heard: list[str | None] = []
        server_tls.sni_callback = lambda _socket, name, _context: heard.append(name)
        resolve_as(monkeypatch, lambda: ["127.0.0.1"])
        runner = HttpToolRunner(AllowedHosts(["crm.example", "other.example"]), client_tls)
        async with running_tool_server(lambda _request: Reply(b"hello"), server_tls) as server:
            named = server.url("/", host="crm.example", scheme="https")
            result = await runner.run(tool(named), {}, secrets)
            other = server.url("/", host="other.example", scheme="https")
            refused = await runner.run(tool(other, max_attempts=1), {}, secrets)
        await runner.aclose()

        assert (result.is_error, result.text) == (False, "hello")
        assert heard[0] == "crm.example"
        assert server.received[0].headers["host"] == f"crm.example:{server.port}"
        assert (refused.is_error, len(server.received)) == (True, 1)

    async def test_a_proxy_of_the_environment_is_not_used(
        self, server: ToolServer, strict: HttpToolRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, server.url())
        result = await strict.run(tool("https://127.0.0.1/", max_attempts=1), {}, secrets)

        assert result.text == "This address is not a public one."
        assert server.received == []


def resolve_as(monkeypatch: pytest.MonkeyPatch, addresses: Any) -> None:
    async def getaddrinfo(_host: str, port: int, **_options: object) -> list[Any]:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in addresses()
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
