"""Where tools may not go: other origins with a tenant's secrets, and addresses that are private."""

import asyncio
import socket
from typing import Any

import httpcore
import pytest

from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.runner import HttpToolRunner
from tests.builders.certificates import tls_for
from tests.builders.tools import CRM_KEY, http_tool, secrets_of
from tests.servers.tool_server import Reply, ToolServer, running_tool_server

pytestmark = pytest.mark.integration


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
        result = await runner.run(
            http_tool(server.url("/old"), headers=headers), {"a": 1}, secrets_of
        )

        assert result.text == "here"
        assert server.received[1].headers["authorization"] == CRM_KEY
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
            result = await runner.run(
                http_tool(server.url(), headers=headers), {"a": 1}, secrets_of
            )
            await runner.aclose()

        assert result.text == "elsewhere"
        [request] = other.received
        assert CRM_KEY not in str(request.headers)
        assert "x-plain" not in request.headers
        assert request.method == ("POST" if status in {307, 308} else "GET")

    async def test_a_redirect_to_a_host_that_is_not_allowed_is_not_followed(
        self, server: ToolServer, runner: HttpToolRunner
    ) -> None:
        async with running_tool_server(lambda _request: Reply(b"private")) as private:
            server.behave = lambda _request: Reply(
                status=302, headers={"Location": private.url(host="localhost")}
            )
            result = await runner.run(http_tool(server.url(), method="GET"), {}, secrets_of)

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
            http_tool(url.format(port=server.port), timeout_s=5, max_attempts=1), {}, secrets_of
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
        result = await strict.run(
            http_tool("https://rebinding.example/", max_attempts=2), {}, secrets_of
        )

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
        result = await strict.run(
            http_tool("https://mixed.example/", max_attempts=1), {}, secrets_of
        )

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
            result = await runner.run(http_tool(named), {}, secrets_of)
            other = server.url("/", host="other.example", scheme="https")
            refused = await runner.run(http_tool(other, max_attempts=1), {}, secrets_of)
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
        result = await strict.run(http_tool("https://127.0.0.1/", max_attempts=1), {}, secrets_of)

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
