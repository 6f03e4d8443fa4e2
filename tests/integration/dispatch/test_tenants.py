"""Organisations, projects and keys on a real Postgres and Redis."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from dispatch.access.keys import KeyDraft
from dispatch.accounts import ADMINISTRATOR
from dispatch.errors import InvalidField, NotFound, StoreUnavailable
from dispatch.paging import PageRequest
from dispatch.store.engine import Database
from dispatch.store.tables import ApiKeyRow
from tests.builders.tenants import new_key, new_project, principal_of

pytestmark = pytest.mark.integration


async def test_a_key_names_its_project(use_cases) -> None:
    project = await new_project(use_cases)
    made = await new_key(use_cases, project)
    stored, key = made.key, made.clear_text
    principal = await principal_of(use_cases, key)
    assert principal is not None
    assert (principal.organization_id, principal.project_id) == (
        project.organization_id,
        project.id,
    )
    assert (principal.key_id, principal.name) == (stored.id, "till")


async def test_the_key_itself_is_stored_nowhere(use_cases, database: Database, redis) -> None:
    project = await new_project(use_cases)
    key = (await new_key(use_cases, project, prefix="tk")).clear_text
    await principal_of(use_cases, key)
    assert key.startswith("tk_live_")
    async with database.reading() as db:
        stored = (await db.execute(ApiKeyRow.__table__.select())).one()
    assert key not in map(str, stored)
    kept = [name + repr(await redis.hgetall(name)) for name in await redis.keys("dp:cred*")]
    assert kept
    assert key not in "".join(kept)


async def test_unknown_and_malformed_keys_name_nobody(use_cases) -> None:
    project = await new_project(use_cases)
    key = (await new_key(use_cases, project)).clear_text
    for wrong in ("", "pk_live_", key[:-1], key + "x", key.replace("pk_", "tk_"), "ключ"):
        assert await principal_of(use_cases, wrong) is None


async def test_a_revoked_key_is_refused_at_once_although_cached(use_cases) -> None:
    project = await new_project(use_cases)
    made = await new_key(use_cases, project)
    stored, key = made.key, made.clear_text
    assert await principal_of(use_cases, key) is not None
    revoked = await use_cases.keys.revoke(ADMINISTRATOR, stored.id)
    assert revoked.revoked_at is not None
    assert await principal_of(use_cases, key) is None


async def test_a_lookup_that_overlaps_a_revocation_does_not_bring_the_key_back(
    use_cases, database: Database, redis
) -> None:
    project = await new_project(use_cases)
    made = await new_key(use_cases, project)
    stored, key = made.key, made.clear_text
    await principal_of(use_cases, key)
    (name,) = await redis.keys("dp:credential:*")
    before = await redis.hgetall(name)
    await use_cases.keys.revoke(ADMINISTRATOR, stored.id)
    await redis.hset(name, mapping=before)
    assert await principal_of(use_cases, key) is None


async def test_revoking_again_keeps_the_first_time(use_cases) -> None:
    project = await new_project(use_cases)
    stored = (await new_key(use_cases, project)).key
    first = await use_cases.keys.revoke(ADMINISTRATOR, stored.id)
    assert await use_cases.keys.revoke(ADMINISTRATOR, stored.id) == first


async def test_an_expired_key_is_refused_at_once_although_cached(
    use_cases, database: Database, redis
) -> None:
    project = await new_project(use_cases)
    soon = datetime.now(UTC) + timedelta(hours=1)
    key = (await new_key(use_cases, project, expires_at=soon)).clear_text
    assert await principal_of(use_cases, key) is not None
    (name,) = await redis.keys("dp:credential:*")
    cached = await redis.hget(name, "owner")
    past = datetime.now(UTC) - timedelta(seconds=1)
    moved = cached.replace(soon.isoformat().replace("+00:00", "Z"), past.isoformat())
    assert moved != cached
    await redis.hset(name, "owner", moved)
    assert await principal_of(use_cases, key) is None


async def test_an_expired_key_is_refused_when_postgres_is_asked(
    use_cases, database: Database
) -> None:
    project = await new_project(use_cases)
    soon = datetime.now(UTC) + timedelta(hours=1)
    key = (await new_key(use_cases, project, expires_at=soon)).clear_text
    async with database.transaction() as db:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await db.execute(update(ApiKeyRow).values(expires_at=past))
    assert await principal_of(use_cases, key) is None


async def test_keys_work_without_the_cache(cut_off) -> None:
    project = await new_project(cut_off)
    key = (await new_key(cut_off, project)).clear_text
    assert await principal_of(cut_off, key) is not None


async def test_revoking_without_the_cache_is_on_record_but_asks_to_be_repeated(
    use_cases, cut_off
) -> None:
    project = await new_project(cut_off)
    made = await new_key(cut_off, project)
    stored, key = made.key, made.clear_text
    with pytest.raises(StoreUnavailable):
        await cut_off.keys.revoke(ADMINISTRATOR, stored.id)
    assert await principal_of(cut_off, key) is None


async def test_a_key_that_would_be_born_expired_is_refused(use_cases) -> None:
    project = await new_project(use_cases)
    past = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(InvalidField, match="future"):
        await new_key(use_cases, project, expires_at=past)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"prefix": "sk"}, "prefix"),
        ({"expires_at": datetime(2100, 1, 1)}, "expires_at"),  # noqa: DTZ001  a time without zone
    ],
)
async def test_a_key_that_cannot_be_made_names_the_field(use_cases, fields, field) -> None:
    project = await new_project(use_cases)
    with pytest.raises(InvalidField) as refused:
        await new_key(use_cases, project, **fields)
    assert refused.value.field == field
    assert (await use_cases.keys.list(project.id, PageRequest())).total == 0


async def test_nothing_is_made_for_owners_that_do_not_exist(use_cases) -> None:
    nobody = uuid.uuid4()
    with pytest.raises(NotFound):
        await use_cases.tenants.create_project(ADMINISTRATOR, nobody, "Main", new_id=uuid.uuid4())
    with pytest.raises(NotFound):
        await use_cases.keys.create(ADMINISTRATOR, nobody, KeyDraft("till"), new_id=uuid.uuid4())
    with pytest.raises(NotFound):
        await use_cases.keys.revoke(ADMINISTRATOR, nobody)
    with pytest.raises(NotFound):
        await use_cases.keys.list(nobody, PageRequest())
    with pytest.raises(NotFound):
        await use_cases.tenants.list_projects(nobody, PageRequest())
    with pytest.raises(NotFound):
        await use_cases.tenants.get_organization(nobody)


async def test_lists_are_paged_newest_first(use_cases) -> None:
    for name in ("first", "second", "third"):
        await use_cases.tenants.create_organization(ADMINISTRATOR, name, new_id=uuid.uuid4())
    page = await use_cases.tenants.list_organizations(PageRequest(page=1, limit=2))
    assert [organization.name for organization in page.items] == ["third", "second"]
    assert (page.total, page.total_pages) == (3, 2)
    rest = await use_cases.tenants.list_organizations(PageRequest(page=2, limit=2))
    assert [organization.name for organization in rest.items] == ["first"]
    beyond = await use_cases.tenants.list_organizations(PageRequest(page=9, limit=2))
    assert (beyond.items, beyond.total) == ((), 3)


async def test_keys_and_projects_are_listed_for_their_owner_only(use_cases) -> None:
    mine, other = await new_project(use_cases), await new_project(use_cases)
    stored = (await new_key(use_cases, mine)).key
    assert (await use_cases.keys.list(mine.id, PageRequest())).items == (stored,)
    assert (await use_cases.keys.list(other.id, PageRequest())).items == ()
    page = await use_cases.tenants.list_projects(mine.organization_id, PageRequest())
    assert page.items == (mine,)
