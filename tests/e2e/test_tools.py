"""An agent asks somebody else's server in the middle of a call, with the tenant's secret."""

from typing import Any

import pytest

from stack.conversation import Caller
from stack.demo_agent import AGENT
from tests.e2e.conftest import Dial, Office
from tests.e2e.talking import ask, has_told, is_part, understood, went_like
from tests.e2e.waiting import said, until
from tests.servers.tool_server import json_reply, running_tool_server

pytestmark = pytest.mark.e2e

QUESTION = "what about my order"
FIRST = "One moment."
ANSWER = "Your order was sent on Monday."
SECRET = "crm-key-0123456789abcdef"


async def ordering_agent(office: Office, url: str) -> dict[str, Any]:
    """Create an agent whose script asks a tool about order 12."""
    tool = await office.api.post(
        "/v1/tools",
        {
            "name": "order_status",
            "description": "Finds out where an order is.",
            "parameters": {"type": "object", "properties": {"order": {"type": "string"}}},
            "http": {
                "url": url,
                "method": "GET",
                "headers": {"Authorization": "Bearer {{secret:crm.api_key}}"},
            },
        },
    )
    step = {
        "phrases": [QUESTION],
        "reply": FIRST,
        "action": {"order_status": {"order": "12"}},
        "then": "Your order {result.status}.",
    }
    return await office.agent(toolIds=[tool["id"]], script={"steps": [step]})


async def test_the_caller_hears_what_the_tool_answered(office: Office, dial: Dial) -> None:
    async with running_tool_server(lambda _: json_reply({"status": "was sent on Monday"})) as crm:
        agent = await ordering_agent(office, crm.url("/orders"))
        await office.api.send("PUT", "/v1/secrets/crm", json={"values": {"api_key": SECRET}})
        number = await office.number(agent["id"])
        async with dial(number) as call:
            caller = Caller(call, [AGENT["greeting"], FIRST, ANSWER], lambda _line: None)
            await caller.listen()
            await has_told(office, number, AGENT["greeting"])
            await ask(office, number, call, QUESTION, ANSWER)
            await caller.listen()
            await call.hang_up()

    assert is_part(understood(caller.conversation), [AGENT["greeting"], FIRST, ANSWER])
    # More than one when it was asked again.
    assert {request.target for request in crm.received} == {"/orders?order=12"}
    assert {request.headers["authorization"] for request in crm.received} == {f"Bearer {SECRET}"}

    async def find() -> dict[str, Any] | None:
        return next((one for one in await office.calls(number) if one["state"] == "ended"), None)

    record = await until(find)
    conversed = [
        ("agent", AGENT["greeting"]),
        ("caller", QUESTION),
        ("agent", FIRST),
        ("agent", ANSWER),
    ]
    assert went_like(record, conversed), said(record)
    used = [event["data"] for event in record["events"] if event["type"] == "tool"]
    assert used[0] == {
        "name": "order_status",
        "arguments": {"order": "12"},
        "result": '{"status":"was sent on Monday"}',
    }
    assert SECRET not in str(record)
