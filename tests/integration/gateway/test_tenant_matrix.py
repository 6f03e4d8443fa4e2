"""Every operation, asked by one tenant for the things of another.

What belongs to somebody else is answered exactly like what does not exist, in as few queries, and
stays as it was. The requests come from the published description, so that a new operation is in
the matrix or fails it.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text

from dispatch.accounts import Scope
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from dispatch.store.tables import Table
from tests.builders.identity_provider import token
from tests.integration.gateway.access.conftest import GatewayWith, gateway_with
from tests.integration.gateway.everything import Everything, one_of_everything
from tests.integration.gateway.serving import ADMIN_KEY, Gateway, Tenant
from tests.integration.gateway.tenant_matrix import (
    NAMES_NOTHING,
    OPEN,
    OWN_NAMES,
    TOLD,
    Operation,
    Request,
    nobodys,
    operations_of,
    request_of,
)

pytestmark = pytest.mark.integration

__all__ = ["gateway_with"]

CREDITS = 1_000_000_000_000
REFUSALS = {400, 401, 403, 404}
NOT_TO_BE_HAD = {
    "POST /v1/calls/{call_id}/cancel": "Needs a call that waits to be placed.",
    "POST /v1/byoc/phone-numbers": "Needs a setting: from where unknown carriers may call in.",
}
"""Operations that refuse the tenant's own things here, and why."""
ORIGIN = "https://shop.example.com"


@dataclass
class Two:
    """Two tenants who know nothing of each other, and all that was A's before B came."""

    gateway: Gateway
    database: Database
    redis: RedisClient
    a: Everything
    b: Everything
    nobody: Everything
    rows_of_a: set[str]
    keys_of_a: dict[str, Any]
    rooms_of_a: set[str]
    operations: list[Operation]
    problems: list[str] = field(default_factory=list)

    def cases(self, *, admins: bool) -> Iterator[tuple[Operation, str]]:
        """Yield each operation with each place where it names something of somebody.

        What makes something of the caller's own comes last, so that nothing is there before.
        """
        found = [
            (operation, place)
            for operation in self.operations
            if operation.is_admins == admins
            for place in operation.places()
        ]
        return iter(sorted(found, key=lambda case: (case[0].label, case[1]) in OWN_NAMES))

    def check(self, is_right: object, operation: Operation, place: str, *told: Any) -> None:
        """Remember what is wrong, so that all of it is seen at once."""
        if not is_right:
            self.problems.append(f"{operation.label} [{place}]: " + " | ".join(map(str, told)))

    async def close(self) -> None:
        """Check that nothing was wrong and that A has what A had."""
        rows = await _rows(self.database)
        assert not self.problems, "\n".join(self.problems)
        assert self.rows_of_a - rows == set()
        added = rows - self.rows_of_a
        theirs = (self.a.project_id, self.a.organization_id)
        assert [row for row in added if any(each in row for each in theirs)] == []
        assert await _keys_of(self.redis, self.a) == self.keys_of_a
        assert self.gateway.rooms.rooms.keys() >= self.rooms_of_a


@pytest.fixture
async def two(
    gateway_with: GatewayWith,
    database: Database,
    redis: RedisClient,
) -> AsyncIterator[Two]:
    async with gateway_with(dialplane_allowed_origins=()) as gateway:
        first = await _tenant(gateway, "org_a")
        a = await one_of_everything(gateway, database, first, "+12015550101")
        rows, keys, rooms = await _rows(database), await _keys_of(redis, a), {*gateway.rooms.rooms}
        second = await _tenant(gateway, "org_b")
        b = await one_of_everything(gateway, database, second, "+12015550102")
        two = Two(
            gateway=gateway,
            database=database,
            redis=redis,
            a=a,
            b=b,
            nobody=nobodys(a),
            rows_of_a=rows,
            keys_of_a=keys,
            rooms_of_a=rooms,
            operations=operations_of(gateway.app.openapi()),
        )
        yield two
        await two.close()


async def test_no_operation_is_left_out(two: Two):
    for operation in two.operations:
        named = two.a.in_path(operation.method, operation.path)
        places = list(operation.places())
        is_listed = operation.label in NAMES_NOTHING | OPEN
        two.check(bool(places) != is_listed, operation, "class", places)
        unknown = [name for name in operation.parameters if name not in named]
        two.check(not unknown, operation, "path", unknown)
        has_body = operation.example is not None or operation.takes_files
        two.check(has_body or not operation.fields, operation, "body", "no example")


async def test_what_is_somebody_elses_is_like_what_does_not_exist(two: Two):
    for operation, place in two.cases(admins=False):
        headers = _headers(operation, two.b)
        await _compare(two, operation, place, headers)


async def test_the_same_requests_find_what_is_the_callers_own(two: Two):
    endings = ("/end", "/close", "/revoke")
    cases = [*two.cases(admins=False), *two.cases(admins=True)]
    for operation, place in sorted(cases, key=lambda case: case[0].path.endswith(endings)):
        key = (operation.label, place)
        if operation.method == "delete" or key in TOLD or operation.label in NOT_TO_BE_HAD:
            continue
        if place.startswith("{"):
            continue  # One part of a path, which was asked for as a whole.
        is_admins = operation.is_admins
        headers = {"x-api-key": ADMIN_KEY} if is_admins else _headers(operation, two.b)
        answer = await _send(two, request_of(operation, two.b, place, two.b), headers)
        is_found = answer.status_code < 300 or answer.status_code == 409
        two.check(is_found, operation, place, answer.status_code, answer.text)


async def test_nothing_is_found_below_what_it_does_not_belong_to(two: Two):
    for operation, place in two.cases(admins=True):
        if not place.startswith("{") or operation.method == "put":
            continue
        request = request_of(operation, two.b, place, two.a)
        answer = await _send(two, request, {"x-api-key": ADMIN_KEY})
        two.check(answer.status_code == 404, operation, place, answer.status_code, answer.text)


async def test_a_member_reaches_no_other_organisation(two: Two):
    headers = {"authorization": f"Bearer {token(sub='user_b', org_id='org_b')}"}
    for operation, place in two.cases(admins=True):
        await _compare(two, operation, place, headers)


async def test_a_member_names_no_other_organisations_project(two: Two):
    signed = token(sub="user_b", org_id="org_b")
    headers = {"authorization": f"Bearer {signed}"}
    for operation in two.operations:
        if operation.is_admins or operation.is_a_chats or operation.label in OPEN:
            continue
        request = request_of(operation, two.a, "path", two.a)
        known = await _send(two, request, headers | {"x-project-id": two.a.project_id})
        unknown = await _send(two, request, headers | {"x-project-id": two.nobody.project_id})
        two.check(known.status_code == 404, operation, "project", known.status_code, known.text)
        two.check(_told(known, two) == _told(unknown, two), operation, "project", known.text)


async def test_no_key_that_is_not_good_opens_anything(two: Two):
    credentials = await _bad_credentials(two)
    for operation in two.operations:
        if operation.label in OPEN:
            continue
        request = request_of(operation, two.a, "path", two.a)
        answers = {name: await _send(two, request, sent) for name, sent in credentials.items()}
        for name, answer in answers.items():
            two.check(answer.status_code == 401, operation, name, answer.status_code, answer.text)
        # TalkifAI's API tells a key that is missing from one that is wrong, as it is published.
        given = answers.keys() - {"none", "not a key"}
        bodies = {_told(answers[name], two) for name in given}
        two.check(len(bodies) == 1, operation, "bodies", bodies)


async def test_a_key_for_pages_reaches_nothing_of_others(two: Two):
    made = await two.gateway.admin.post(
        f"/admin/v1/projects/{two.b.project_id}/keys",
        json={"name": "page", "kind": "widget", "allowedOrigins": [ORIGIN]},
    )
    assert made.status_code == 201, made.text
    for operation, place in two.cases(admins=False):
        if operation.is_a_chats or (operation.label, place) in OWN_NAMES:
            continue
        request = request_of(operation, two.b, place, two.a)
        for origin in ({}, {"origin": ORIGIN}):
            answer = await _send(two, request, {"x-api-key": made.json()["key"], **origin})
            is_refused = answer.status_code in {400, 403, 404}
            two.check(is_refused, operation, place, origin, answer.status_code, answer.text)


async def test_a_chats_token_opens_no_other_chat(two: Two):
    for operation in filter(lambda each: each.is_a_chats, two.operations):
        headers = _headers(operation, two.a)
        request = request_of(operation, two.b, "path", two.b)
        answer = await _send(two, request, headers)
        is_refused = answer.status_code in {401, 403, 404}
        two.check(is_refused, operation, "token", answer.status_code, answer.text)
        for key in (two.a.tenant.key, two.b.tenant.key, two.b.voice_token):
            answer = await _send(two, request, {"authorization": f"Bearer {key}"})
            two.check(answer.status_code == 401, operation, "key", answer.status_code)


async def test_a_token_for_a_room_is_for_rooms_of_its_project_only(two: Two):
    body = {"identity": "eve", "room": two.a.full_room_name}
    answer = await two.b.tenant.http.post("/api/v1/token", json=body)
    assert answer.status_code in (200, 400, 404)
    if answer.status_code == 200:
        assert answer.json()["room"].startswith(f"proj_{two.b.project_id.replace('-', '')}_")


async def test_lists_hold_and_count_the_callers_own_alone(two: Two):
    theirs = [value for value in vars(two.a).values() if isinstance(value, str) and len(value) > 8]
    for operation in two.operations:
        if operation.method != "get" or operation.is_admins or operation.is_a_chats:
            continue
        request = request_of(operation, two.b, "path", two.b)
        answer = await _send(two, request, _headers(operation, two.b))
        found = [each for each in theirs if each in answer.text]
        two.check(found == [], operation, "list", found)
        if answer.headers["content-type"] == "application/json" and answer.status_code == 200:
            page = answer.json()
            total = page.get("pagination", {}).get("total") if isinstance(page, dict) else None
            two.check(total is None or total == len(page["data"]), operation, "total", total)


async def _compare(two: Two, operation: Operation, place: str, headers: dict[str, str]) -> None:
    """Check that a foreign thing is answered like one that is not there."""
    key = (operation.label, place)
    if key in TOLD:
        answer = await _send(two, request_of(operation, two.b, place, two.a), headers)
        two.check(answer.status_code in {400, 409}, operation, place, answer.text)
        leaks = any(each in answer.text for each in (two.a.project_id, two.a.organization_id))
        two.check(not leaks, operation, place, answer.text)
        return
    with _counted(two.database) as unknown_queries:
        request = request_of(operation, two.b, place, two.nobody)
        unknown = await _send(two, request, headers)
    with _counted(two.database) as foreign_queries:
        request = request_of(operation, two.b, place, two.a)
        foreign = await _send(two, request, headers)
    status = foreign.status_code
    two.check(status == unknown.status_code, operation, place, status, unknown.status_code)
    if key in OWN_NAMES:
        return
    is_list = operation.method == "get" and place != "path"
    is_list = is_list or operation.path.endswith("/agents/mappings")
    allowed = REFUSALS | ({200} if is_list else set())
    two.check(status in allowed, operation, place, status, foreign.text)
    told, expected = _told(foreign, two), _told(unknown, two)
    two.check(told == expected, operation, place, told, expected)
    more = len(foreign_queries) > len(unknown_queries)
    two.check(not more, operation, place, foreign_queries, unknown_queries)


async def _send(two: Two, request: Request, headers: dict[str, str]) -> httpx.Response:
    return await two.gateway.http.request(headers=headers, **request.arguments())


def _headers(operation: Operation, whose: Everything) -> dict[str, str]:
    if operation.is_a_chats:
        return {"authorization": f"Bearer {whose.chat_token}"}
    return {"x-api-key": whose.tenant.key}


def _told(answer: httpx.Response, two: Two) -> str:
    """Return an answer's body without its own id and time, and without what was asked for."""
    told = answer.text.replace(answer.headers["x-request-id"], "…")
    told = re.sub(r'"(timestamp|from|to|start|end)":"[^"]*"', "…", told)
    for name, value in vars(two.a).items():
        if isinstance(value, str):
            told = told.replace(value, name).replace(str(getattr(two.nobody, name)), name)
    return told


async def _bad_credentials(two: Two) -> dict[str, dict[str, str]]:
    admin = two.gateway.admin
    keys = f"/admin/v1/projects/{two.b.project_id}/keys"
    revoked = (await admin.post(keys, json={"name": "revoked"})).json()
    await two.gateway.http.get("/v1/agents", headers={"x-api-key": revoked["key"]})
    answer = await admin.post(f"/admin/v1/keys/{revoked['id']}/revoke", json={})
    assert answer.status_code == 200, answer.text
    expired = (await admin.post(keys, json={"name": "expired"})).json()
    async with two.database.transaction() as db:
        await db.execute(
            text("UPDATE api_keys SET expires_at = now() - interval '1 hour' WHERE id = :id"),
            {"id": expired["id"]},
        )
    return {
        "none": {},
        "garbage": {"x-api-key": "pk_nonsense"},
        "not a key": {"authorization": "Basic dXNlcjpwYXNz"},
        "revoked": {"x-api-key": revoked["key"]},
        "expired": {"x-api-key": expired["key"]},
        "token without signature": {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
        "room token": {"authorization": f"Bearer {two.a.voice_token}"},
    }


async def _tenant(gateway: Gateway, external_id: str) -> Tenant:
    tenant = await gateway.tenant(credits_microcredits=CREDITS, scopes=list(Scope))
    organization = f"/admin/v1/organizations/{tenant.organization_id}"
    changes = {"plan": "enterprise", "externalId": external_id}
    answer = await gateway.admin.patch(organization, json=changes)
    assert answer.status_code == 200, answer.text
    limits = {"limits": dict.fromkeys(("native", "agntix", "talkifai", "voxai"), 1_000_000)}
    for path in (organization, f"/admin/v1/keys/{tenant.key_id}"):
        answer = await gateway.admin.put(f"{path}/limits", json=limits)
        assert answer.status_code == 200, answer.text
    return tenant


async def _rows(database: Database) -> set[str]:
    """Return every row of every table, as text."""
    async with database.reading() as db:
        return {
            f"{name} {row[0]}"
            for name in Table.metadata.tables
            for row in await db.execute(text(f"SELECT to_jsonb(t)::text FROM {name} t"))
        }


async def _keys_of(redis: RedisClient, things: Everything) -> dict[str, Any]:
    """Return what Redis keeps under the names of a tenant's things, but for passing counters."""
    named = (things.project_id, things.agent_id, things.organization_id, things.phone_number)
    keys = [key async for key in redis.scan_iter(count=1_000)]
    kept = [key for key in keys if any(name in key for name in named)]
    return {key: await redis.dump(key) for key in kept if await redis.ttl(key) == -1}


@contextmanager
def _counted(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are sent to Postgres."""
    sent: list[str] = []

    def note(*given: Any) -> None:
        sent.append(given[2])

    engines = (database._engine.sync_engine, database._glancing_engine.sync_engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
