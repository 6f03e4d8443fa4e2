"""Chats that pages hold with a widget key, which every visitor has: each reaches only their own."""

import uuid
from typing import Any

import httpx
import pytest

from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

SESSIONS = "/v1/chat/chat/sessions"
PAGE = {"origin": "https://shop.example.com"}
QUESTION = {"content": "What are your opening hours?", "stream": False}
NEEDED = (
    "A widget key reaches a session only with its X-Session-Token, "
    "which came when the session was opened."
)


@pytest.fixture
async def owner(gateway: Gateway) -> Tenant:
    return await gateway.tenant(credits_microcredits=5_000_000)


@pytest.fixture
async def page(gateway: Gateway, owner: Tenant) -> dict[str, str]:
    """Return what every visitor of the page sends."""
    made = await gateway.admin.post(
        f"/admin/v1/projects/{owner.project_id}/keys",
        json={"name": "page", "kind": "widget", "allowedOrigins": ["example.com"]},
    )
    assert made.status_code == 201, made.text
    return {**PAGE, "x-api-key": made.json()["key"]}


async def visited(
    gateway: Gateway, owner: Tenant, page: dict[str, str], **headers: str
) -> dict[str, Any]:
    """Open a chat as a visitor of the page does."""
    agent = await owner.agent(voiceEnabled=False)
    answer = await gateway.http.post(
        SESSIONS, json={"agentId": agent["id"]}, headers=page | headers
    )
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


async def asked(
    gateway: Gateway, session_id: object, headers: dict[str, str]
) -> dict[str, httpx.Response]:
    """Try everything that can be done with a session, its end last."""
    at = f"{SESSIONS}/{session_id}"
    http = gateway.http
    return {
        "get": await http.get(at, headers=headers),
        "write": await http.post(f"{at}/messages", json=QUESTION, headers=headers),
        "read": await http.get(f"{at}/messages", headers=headers),
        "close": await http.patch(f"{at}/close", headers=headers),
    }


async def test_a_visitor_holds_the_chat_they_opened(
    gateway: Gateway, owner: Tenant, page: dict[str, str]
):
    session = await visited(gateway, owner, page)
    own = page | {"x-session-token": session["sessionToken"]}
    answers = await asked(gateway, session["id"], own)
    assert {each.status_code for each in answers.values()} == {200}
    assert len(answers["read"].json()["data"]) == 3


async def test_without_its_token_a_chat_is_out_of_reach_and_stays_as_it_was(
    gateway: Gateway, owner: Tenant, page: dict[str, str]
):
    session = await visited(gateway, owner, page)
    for token in ({}, {"x-session-token": ""}, {"x-session-token": "nonsense"}):
        for answer in (await asked(gateway, session["id"], page | token)).values():
            assert error_of(answer) == (403, "FORBIDDEN", NEEDED)
    there = (await owner.http.get(f"{SESSIONS}/{session['id']}")).json()
    assert there["state"] == "OPEN"
    listed = (await owner.http.get(f"{SESSIONS}/{session['id']}/messages")).json()
    assert listed["pagination"]["total"] == 1


async def test_another_visitors_chat_is_like_one_that_does_not_exist(
    gateway: Gateway, owner: Tenant, page: dict[str, str]
):
    theirs = await visited(gateway, owner, page)
    mine = await visited(gateway, owner, page)
    own = page | {"x-session-token": mine["sessionToken"]}
    told = set()
    for session_id in (theirs["id"], uuid.uuid4()):
        for answer in (await asked(gateway, session_id, own)).values():
            told.add(error_of(answer))
    assert len(told) == 1
    assert told.pop()[:2] == (404, "SESSION_NOT_FOUND")


async def test_a_token_of_one_project_opens_nothing_in_another(
    gateway: Gateway, owner: Tenant, page: dict[str, str]
):
    session = await visited(gateway, owner, page)
    stranger = await gateway.tenant(kind="widget", allowedOrigins=["example.com"])
    headers = PAGE | {"x-api-key": stranger.key, "x-session-token": session["sessionToken"]}
    answer = await gateway.http.get(f"{SESSIONS}/{session['id']}", headers=headers)
    assert error_of(answer)[:2] == (404, "SESSION_NOT_FOUND")


async def test_a_repetition_tells_no_other_visitor_what_was_answered(
    gateway: Gateway, owner: Tenant, page: dict[str, str]
):
    session = await visited(gateway, owner, page)
    path = f"{SESSIONS}/{session['id']}/messages"
    same = page | {"idempotency-key": "1"}
    own = same | {"x-session-token": session["sessionToken"]}
    first = await gateway.http.post(path, json=QUESTION, headers=own)
    again = await gateway.http.post(path, json=QUESTION, headers=own)
    other = await gateway.http.post(path, json=QUESTION, headers=same)
    assert first.status_code == again.status_code == 200
    assert again.content == first.content
    assert other.status_code in (403, 409)
    assert first.json()["content"] not in other.text


async def test_a_servers_key_needs_no_token_and_is_given_none(gateway: Gateway, owner: Tenant):
    session = await visited(gateway, owner, {"x-api-key": owner.key})
    assert "sessionToken" not in session
    answers = await asked(gateway, session["id"], {"x-api-key": owner.key})
    assert {each.status_code for each in answers.values()} == {200}


async def test_a_widget_key_joins_no_room_by_its_name(gateway: Gateway, page: dict[str, str]):
    body = {"identity": "eve", "room": "my-room"}
    answer = await gateway.http.post("/api/v1/token", json=body, headers=page)
    assert (answer.status_code, answer.json()) == (
        403,
        {
            "error": "A widget key opens voice sessions, but no room by its name.",
            "code": "FORBIDDEN",
        },
    )
