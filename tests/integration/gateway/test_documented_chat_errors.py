"""Errors of the operations that a chat's token opens, compared with their bodies byte for byte."""

from typing import Any

import pytest
from sqlalchemy import text

from dispatch.store.engine import Database
from gateway.app import DEFAULT_MAX_BODY_BYTES
from gateway.faces.talkifai.authentication import Counted
from gateway.repetitions import HEADER
from tests.integration.gateway.documented_errors import Wrong, body, operations_of_chats, send
from tests.integration.gateway.everything import Everything, one_of_everything
from tests.integration.gateway.serving import Gateway
from tests.integration.gateway.tenant_matrix import Operation

pytestmark = pytest.mark.integration

UNAVAILABLE = "Billing service unavailable: connection timeout"


@pytest.fixture
async def chat(gateway: Gateway, database: Database) -> Everything:
    tenant = await gateway.tenant(credits_microcredits=5_000_000)
    return await one_of_everything(gateway, database, tenant, "+12015550101")


async def check(
    gateway: Gateway, chat: Everything, status: int, message: str, **how: Any
) -> list[str]:
    """Ask every operation that documents a status; return what was answered otherwise."""
    wrong = Wrong()
    names = {"conversation_id": chat.conversation_id} | how.pop("names", {})
    given = how.pop("headers", {})
    for operation in operations_of_chats(gateway, status):
        headers = {"authorization": f"Bearer {chat.chat_token}"} | given
        answer = await send(gateway.http, operation, headers, names, **how)
        wrong.check(operation, answer, status, body(operation, answer, "", message))
    return wrong


async def test_who_has_no_token_is_told_so(gateway: Gateway, chat: Everything):
    headers = {"authorization": f"Bearer {chat.tenant.key}"}
    assert await check(gateway, chat, 401, "Invalid token", headers=headers) == []


async def test_a_token_is_for_its_own_chat(gateway: Gateway, chat: Everything):
    message = "Conversation ID does not match session token"
    names = {"conversation_id": "chat_another"}
    assert await check(gateway, chat, 403, message, names=names) == []


async def test_a_chat_that_is_not_on_record_is_told_so(
    gateway: Gateway, database: Database, chat: Everything
):
    async with database.transaction() as db:
        await db.execute(text("TRUNCATE chat_conversations CASCADE"))
    assert await check(gateway, chat, 404, "Session not found or expired") == []


async def test_a_body_that_is_too_long_is_refused_by_its_length(gateway: Gateway, chat: Everything):
    message = f"The body is longer than {DEFAULT_MAX_BODY_BYTES} bytes."
    sent = {"content": b" " * (DEFAULT_MAX_BODY_BYTES + 1), "headers": {HEADER: "the-first"}}
    assert await check(gateway, chat, 413, message, **sent) == []


async def test_a_chat_that_asks_too_often_has_to_wait(gateway: Gateway, chat: Everything):
    limits = [
        each.dependency
        for route in gateway.app.routes
        for each in getattr(route, "dependencies", ())
        if isinstance(each.dependency, Counted)
    ]
    for limit in limits:
        for _ in range(limit.per_minute):
            subject = f"{limit.what}:{chat.conversation_id}"
            await gateway.services.rate_limits.take(subject, limit.per_minute)
    assert await check(gateway, chat, 429, "Rate limit exceeded") == []


async def test_what_cannot_be_is_refused_in_one_sentence(gateway: Gateway, chat: Everything):
    wrong = Wrong()
    impossible: dict[str, tuple[str, dict[str, Any]]] = {
        "GET messages": (
            "limit: Input should be a valid integer, unable to parse string as an integer.",
            {"params": {"limit": "x"}},
        ),
        "POST messages": (
            "The body must be a JSON object, sent as application/json.",
            {"content": b'["text"]'},
        ),
        "POST end": (
            f"{HEADER}: must have 1 to 255 visible ASCII characters.",
            {"extra": {HEADER: "with blanks"}},
        ),
    }
    names = {"conversation_id": chat.conversation_id}
    for operation in operations_of_chats(gateway, 400):
        message, sent = impossible.pop(_short(operation))
        headers = {"authorization": f"Bearer {chat.chat_token}"} | sent.pop("extra", {})
        answer = await send(gateway.http, operation, headers, names, **sent)
        wrong.check(operation, answer, 400, body(operation, answer, "", message))
    assert wrong == []
    assert impossible == {}


async def test_a_key_of_another_request_is_refused(gateway: Gateway, chat: Everything):
    headers = {"authorization": f"Bearer {chat.chat_token}", HEADER: "the-first"}
    ended = await gateway.http.post(
        f"/v1/chat/sessions/{chat.conversation_id}/end", headers=headers, content=b"{ }"
    )
    assert ended.status_code == 200, ended.text
    message = "This Idempotency-Key was used for another request."
    repeated = {HEADER: "the-first"}
    assert await check(gateway, chat, 409, message, headers=repeated) == []


async def test_without_its_record_a_chat_is_out_of_reach(
    gateway_without_postgres: Gateway, chat: Everything
):
    gateway = gateway_without_postgres
    assert await check(gateway, chat, 503, UNAVAILABLE) == []
    assert await check(gateway, chat, 500, "Failed to end session") == []


def _short(operation: Operation) -> str:
    return f"{operation.method.upper()} {operation.path.rsplit('/', 1)[1]}"
