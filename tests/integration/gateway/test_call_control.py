"""Commands to calls over HTTP; the worker is played here."""

import asyncio
import uuid
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from dispatch.access.idempotency import Idempotency
from dispatch.calls import Admitted, CallEnd
from dispatch.commands import (
    CallCommands,
    Command,
    CommandName,
    CommandQueue,
    CommandResult,
    CommandStatus,
)
from dispatch.store.redis_client import RedisClient
from dispatch.store.request_claims import RequestClaims
from telephony.calls import EndedBy, EndReason
from tests.builders import live_calls as builders
from tests.builders.installation_keys import KEYS
from tests.integration.gateway.documented_errors import Wrong, body, operations, send
from tests.integration.gateway.serving import Gateway
from tests.integration.gateway.serving import Tenant as Client

pytestmark = pytest.mark.integration

NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
COMMANDS = {
    "transfer": {"to": "+12015550155", "mode": "cold"},
    "hold": None,
    "resume": None,
    "dtmf": {"keys": "12-3w#"},
    "say": {"text": "Hello"},
    "whisper": {"text": "Be kind"},
    "end": {},
}


async def talking(redis: RedisClient, client: Client) -> uuid.UUID:
    """Have a call of the client's project answered."""
    tenant = builders.Tenant(
        organization_id=uuid.UUID(client.organization_id), project_id=uuid.UUID(client.project_id)
    )
    await tenant.publish(redis, balance=None)
    arrival, calls = tenant.arrival(), builders.live_calls(redis)
    assert isinstance(await calls.admit(arrival), Admitted)
    await calls.answered(arrival.call_id, datetime.now(UTC))
    return arrival.call_id


async def taken(queue: CommandQueue, call_id: uuid.UUID) -> Command:
    async with asyncio.timeout(30):
        while (command := await queue.take(call_id, 1.5)) is None:
            pass
    return command


async def obeyed(
    redis: RedisClient, call_id: uuid.UUID, asked: Awaitable[httpx.Response], **result: Any
) -> tuple[httpx.Response, Any]:
    """Answer the next command; return what the client got and what the worker was told."""
    asking = asyncio.ensure_future(asked)
    queue = CommandQueue(redis, KEYS)
    command = await taken(queue, call_id)
    fields = {"status": CommandStatus.DONE, "sentence": "Done."} | result
    await queue.finish(command, CommandResult(**fields))
    return await asking, command


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_is_answered_by_what_the_worker_says(
    gateway: Gateway, redis: RedisClient, name: str
):
    client = await gateway.tenant(credits_microcredits=1_000_000)
    call_id = await talking(redis, client)
    asked = client.http.post(f"/v1/calls/{call_id}/{name}", json=COMMANDS[name])
    answer, command = await obeyed(redis, call_id, asked)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["command"], body["outcome"], body["sentence"]) == (name, "done", "Done.")
    assert (body["callId"], body["commandId"]) == (str(call_id), command.command_id)
    assert command.name is CommandName(name)


async def test_a_transfer_says_who_did_not_take_the_call(gateway: Gateway, redis: RedisClient):
    client = await gateway.tenant(credits_microcredits=1_000_000)
    call_id = await talking(redis, client)
    asked = client.http.post(f"/v1/calls/{call_id}/transfer", json={"mode": "warm"})
    answer, command = await obeyed(
        redis,
        call_id,
        asked,
        outcome="busy",
        details={"target": "+12015550155", "sip_code": 486},
    )
    assert command.arguments == {"to": None, "mode": "warm", "summary": ""}
    assert (
        answer.json().items()
        >= {
            "outcome": "busy",
            "target": "+12015550155",
            "sipCode": 486,
        }.items()
    )


async def test_keys_reach_the_worker_without_what_only_helps_the_reader(
    gateway: Gateway, redis: RedisClient
):
    client = await gateway.tenant(credits_microcredits=1_000_000)
    call_id = await talking(redis, client)
    asked = client.http.post(f"/v1/calls/{call_id}/dtmf", json=COMMANDS["dtmf"])
    _, command = await obeyed(redis, call_id, asked)
    assert command.arguments == {"keys": "123w#", "sensitive": False}


@pytest.mark.parametrize("body", [{"keys": "1" * 1_000}, {"keys": "1;2"}, {"keys": ""}, {}])
async def test_keys_that_cannot_be_pressed_are_named(gateway: Gateway, body: dict[str, str]):
    client = await gateway.tenant(credits_microcredits=1_000_000)
    answer = await client.http.post(f"/v1/calls/{NOWHERE}/dtmf", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "keys"


async def test_a_command_to_no_call_or_anothers_call_is_404(gateway: Gateway, redis: RedisClient):
    client = await gateway.tenant()
    other = await gateway.tenant(credits_microcredits=1_000_000)
    call_id = await talking(redis, other)
    for unknown in (NOWHERE, call_id):
        answer = await client.http.post(f"/v1/calls/{unknown}/hold")
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == "Call not found."


async def test_a_command_to_an_ended_call_is_409(gateway: Gateway, redis: RedisClient):
    client = await gateway.tenant(credits_microcredits=1_000_000)
    call_id = await talking(redis, client)
    await builders.live_calls(redis).end(call_id, CallEnd(EndedBy.CALLER, EndReason.HANG_UP))
    answer = await client.http.post(f"/v1/calls/{call_id}/hold")
    assert answer.status_code == 409
    assert answer.json()["error"]["message"] == "The call has ended."


async def test_a_command_that_failed_says_why(gateway: Gateway, redis: RedisClient):
    client = await gateway.tenant(credits_microcredits=1_000_000)
    call_id = await talking(redis, client)
    wrong = Wrong()
    for operation in operations(gateway, 502):
        asked = send(client.http, operation, {}, {"call_id": str(call_id)})
        failed = {"status": CommandStatus.FAILED, "sentence": "The telephone is gone."}
        answer, _ = await obeyed(redis, call_id, asked, **failed)
        expected = body(operation, answer, "BAD_GATEWAY", "The telephone is gone.")
        wrong.check(operation, answer, 502, expected)
    assert wrong == []


async def test_a_command_that_nobody_begins_is_withdrawn(gateway: Gateway, redis: RedisClient):
    at_once = dict.fromkeys(CommandName, timedelta())
    commands = CallCommands(redis, gateway.services.call_records, KEYS, at_once)
    gateway.app.state.services = replace(gateway.services, call_commands=commands)
    client = await gateway.tenant(credits_microcredits=1_000_000)
    call_id = await talking(redis, client)
    wrong = Wrong()
    for operation in operations(gateway, 504):
        answer = await send(client.http, operation, {}, {"call_id": str(call_id)})
        message = (
            "The call's worker did not begin the command in time."
            " It was withdrawn and will not be carried out."
        )
        wrong.check(operation, answer, 504, body(operation, answer, "TIMEOUT", message))
    assert wrong == []
    assert await CommandQueue(redis, KEYS).take(call_id, 0.05) is None


async def test_a_key_that_may_only_read_calls_commands_none(gateway: Gateway):
    client = await gateway.tenant(scopes=["calls:read"])
    answer = await client.http.post(f"/v1/calls/{NOWHERE}/end", json={})
    assert answer.status_code == 403


async def test_a_repeated_command_is_carried_out_once(gateway: Gateway, redis: RedisClient):
    client = await gateway.tenant(credits_microcredits=1_000_000)
    call_id = await talking(redis, client)
    headers = {"Idempotency-Key": "say-hello"}

    def ask() -> Awaitable[httpx.Response]:
        path = f"/v1/calls/{call_id}/say"
        return client.http.post(path, json={"text": "Hello"}, headers=headers)

    first, _ = await obeyed(redis, call_id, ask())
    again = await ask()
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await CommandQueue(redis, KEYS).take(call_id, 0.05) is None


async def test_a_transfer_that_takes_long_is_not_begun_again_by_a_repetition(
    gateway: Gateway, redis: RedisClient
):
    # Extended when a third is over: what is left must outlast the pauses of a busy machine.
    lease = timedelta(seconds=9)
    short = Idempotency(RequestClaims(redis), SecretStr("pepper-of-the-tests"), lease)
    gateway.app.state.services = replace(gateway.services, idempotency=short)
    client = await gateway.tenant(credits_microcredits=1_000_000)
    call_id = await talking(redis, client)
    headers = {"Idempotency-Key": "pass-on"}

    def ask() -> Awaitable[httpx.Response]:
        path = f"/v1/calls/{call_id}/transfer"
        return client.http.post(path, json=COMMANDS["transfer"], headers=headers)

    first = asyncio.ensure_future(ask())
    queue = CommandQueue(redis, KEYS)
    command = await taken(queue, call_id)
    (name,) = await redis.keys("dp:idempotency:*")
    lapses = set[str]()
    async with asyncio.timeout(60):
        # Asked again and again until the claim was extended, and extended again.
        while len(lapses) < 3:
            lapses.add(await redis.hget(name, "until_ms"))
            meanwhile = await ask()
            assert meanwhile.status_code == 409
            assert 1 <= int(meanwhile.headers["Retry-After"]) <= 9
            await asyncio.sleep(0.1)
    await queue.finish(command, CommandResult(CommandStatus.DONE, "They have the call."))
    assert (await first).status_code == 200
    assert (await ask()).json() == (await first).json()
    assert await queue.take(call_id, 0.05) is None
