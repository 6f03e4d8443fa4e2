"""What every request has in common."""

import logging
import re
from collections.abc import AsyncIterator

import pytest

from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "body",
    [b"{", b"nope", b'{"name": NaN}', b'{"name": "\xff"}', b'{"name": "\\ud800"}', b"[" * 2_000],
)
async def test_a_body_that_is_not_json_is_told_so(gateway: Gateway, body: bytes):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/agents", content=body)
    status, code, message = error_of(answer)
    assert (status, code) == (400, "VALIDATION_ERROR")
    assert message.startswith("The body is not valid JSON: ")


@pytest.mark.parametrize("body", [b"", b"[]", b'"text"', b"5", b"null"])
async def test_a_body_that_is_no_object_is_told_so(gateway: Gateway, body: bytes):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/agents", content=body)
    assert error_of(answer) == (
        400,
        "VALIDATION_ERROR",
        "The body must be a JSON object, sent as application/json.",
    )


async def test_a_misspelt_filter_is_named_instead_of_showing_everything(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.get("/v1/calls", params={"agent": "1", "state": "ended"})
    assert error_of(answer) == (
        400,
        "VALIDATION_ERROR",
        "agent is not a known query parameter.",
    )


async def test_a_form_is_told_to_be_json(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/agents", data={"name": "x"})
    assert error_of(answer)[2] == "The body must be a JSON object, sent as application/json."


async def test_json_needs_no_content_type(gateway: Gateway):
    tenant = await gateway.tenant()
    assert (await tenant.http.post("/v1/agents", content=b'{"name": "A"}')).status_code == 201


async def test_a_nul_is_refused_and_its_place_named(gateway: Gateway):
    tenant = await gateway.tenant()
    body = {"name": "A", "script": {"steps": [{"keys": ["1"], "reply": "a\0b"}]}}
    answer = await tenant.http.post("/v1/agents", json=body)
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"] == [
        {
            "field": "script.steps.0.reply",
            "message": "script.steps.0.reply may not hold a NUL character.",
        }
    ]


async def test_the_letters_of_an_escaped_nul_are_only_text(gateway: Gateway):
    tenant = await gateway.tenant()
    agent = await tenant.agent(greeting="\\u0000")
    assert agent["greeting"] == "\\u0000"


async def test_every_wrong_field_is_named(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/agents", json={"Name": "A", "isActive": "perhaps"})
    named = [detail["field"] for detail in answer.json()["error"]["details"]]
    assert sorted(named) == ["Name", "isActive", "name"]


async def test_a_flood_of_wrong_fields_is_answered_briefly(gateway: Gateway):
    tenant = await gateway.tenant()
    body = {"name": "A"} | {f"x{number}": 1 for number in range(1_000)}
    answer = await tenant.http.post("/v1/agents", json=body)
    assert len(answer.json()["error"]["details"]) == 20


async def test_a_body_above_the_limit_is_refused(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/agents", content=b" " * 1_048_577)
    assert error_of(answer) == (
        413,
        "PAYLOAD_TOO_LARGE",
        "The body is longer than 1048576 bytes.",
    )


async def test_a_streamed_body_above_the_limit_is_refused(gateway: Gateway):
    tenant = await gateway.tenant()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65_536

    answer = await tenant.http.post("/v1/agents", content=chunks())
    assert error_of(answer)[:2] == (413, "PAYLOAD_TOO_LARGE")


async def test_an_unknown_path_is_not_found(gateway: Gateway):
    answer = await gateway.http.get("/v1/nothing")
    assert error_of(answer) == (404, "NOT_FOUND", "There is nothing at this path.")


async def test_a_wrong_method_is_told_so(gateway: Gateway):
    answer = await gateway.http.put("/v1/agents")
    assert error_of(answer) == (
        405,
        "METHOD_NOT_ALLOWED",
        "This path does not have this method.",
    )


async def test_no_number_and_no_key_is_logged(gateway: Gateway, caplog: pytest.LogCaptureFixture):
    tenant = await gateway.tenant()
    await tenant.connection()
    with caplog.at_level(logging.DEBUG):
        await tenant.number("+12015550147")
        await tenant.http.get("/v1/phone-numbers/+12015550147/explain")
        await tenant.http.get("/v1/chat/phone-numbers?number=+12015550147")
        await tenant.http.delete("/v1/chat/phone-numbers/+12015550147")
    ours = [r for r in caplog.records if r.name.split(".")[0] in {"gateway", "dispatch"}]
    assert len(ours) >= 4
    logged = " ".join(str(vars(record)) for record in ours)
    assert "5550147" not in logged
    assert tenant.key not in logged


async def test_a_request_is_logged_by_its_route(gateway: Gateway, caplog: pytest.LogCaptureFixture):
    tenant = await gateway.tenant()
    with caplog.at_level(logging.INFO, logger="gateway.middleware"):
        await tenant.http.get("/v1/agents/5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11")
    served = [record for record in caplog.records if record.name == "gateway.middleware"]
    assert vars(served[-1])["route"] == "/v1/agents/{agent_id}"


@pytest.mark.parametrize("depth", [65, 300, 1_000])
@pytest.mark.parametrize("opening", [b'{"a":', b"["])
async def test_a_body_nested_too_deep_is_refused(gateway: Gateway, depth: int, opening: bytes):
    tenant = await gateway.tenant(credits_microcredits=5_000_000)
    agent = await tenant.agent()
    deep = opening * depth + b"1" + (b"}" if opening[:1] == b"{" else b"]") * depth
    body = b'{"agentId":"%s","metadata":{"x":%s}}' % (agent["id"].encode(), deep)
    answer = await tenant.http.post("/v1/voice/sessions", content=body)
    assert error_of(answer) == (
        400,
        "VALIDATION_ERROR",
        "The body is not valid JSON: nested more than 64 levels deep.",
    )


async def test_a_wide_body_is_not_taken_for_a_deep_one(gateway: Gateway):
    tenant = await gateway.tenant(credits_microcredits=5_000_000)
    agent = await tenant.agent()
    body = {"agentId": agent["id"], "metadata": {"x": [[]] * 200, "text": "[" * 200}}
    assert (await tenant.http.post("/v1/voice/sessions", json=body)).status_code == 201


async def test_a_long_unknown_field_is_not_sent_back_whole(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/agents", json={"name": "A", "x" * 100_000: 1})
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert len(answer.content) < 2_000


async def test_a_trailing_slash_is_not_redirected_to_whatever_host_was_named(gateway: Gateway):
    answer = await gateway.http.get("/v1/agents/", headers={"host": "elsewhere.example"})
    assert error_of(answer)[:2] == (404, "NOT_FOUND")
    assert "location" not in answer.headers


async def test_a_wrong_method_is_told_all_right_ones(gateway: Gateway):
    answer = await gateway.http.put("/v1/chat/phone-numbers/+12015550100")
    assert answer.headers["allow"] == "DELETE, GET, PATCH"


async def test_a_missing_key_is_told_how_to_send_one(gateway: Gateway):
    answer = await gateway.http.get("/v1/agents")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_no_answer_is_kept_or_read_as_something_else(gateway: Gateway):
    answer = await gateway.admin.get("/admin/v1/organizations")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_no_page_of_another_origin_may_read_what_a_servers_key_gets(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.get("/v1/agents", headers={"origin": "https://shop.example"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_the_reference_page_needs_no_other_server(gateway: Gateway):
    page = await gateway.http.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    for asset in re.findall(r'(?:href|src)="([^"]+)"', page.text):
        assert (await gateway.http.get(asset)).status_code == 200, asset


@pytest.mark.parametrize("path", ["/v1/agents?page=1&page=2", "/v2/chat/agents?search=a&search=b"])
async def test_a_parameter_that_comes_twice_is_refused(gateway: Gateway, path: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.get(path)
    name = path.partition("?")[2].partition("=")[0]
    assert error_of(answer) == (400, "VALIDATION_ERROR", f"{name} may be sent only once.")
