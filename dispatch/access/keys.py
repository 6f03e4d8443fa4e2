"""API keys: made once, shown once, and useless the moment they are revoked."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pydantic import SecretStr

from dispatch.access.audit import record_change
from dispatch.access.key_drafts import KeyDraft, checked_draft, draft_of, refuse_more_than
from dispatch.access.limits import checked_limits
from dispatch.access.reach import EVERYWHERE, Reach
from dispatch.access.texts import checked_text
from dispatch.access.versions import AccessVersions
from dispatch.accounts import Actor, ApiKey, Scope
from dispatch.api_keys import generate_key, hash_key, hint_of
from dispatch.errors import Conflict, InvalidField, NotFound
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import accounts, keys

__all__ = ["ApiKey", "KeyDraft", "Keys", "NewKey"]

CHANGEABLE = frozenset(each.name for each in fields(KeyDraft)) - {"prefix", "kind"}
"""Fields of a draft that a key may change later."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, and the key itself: only here, only once."""

    key: ApiKey
    clear_text: str


class Keys:
    """The keys of projects; what is out of a caller's reach is not there.

    Args:
        database: The record.
        versions: Tells every process of a change.
        pepper: Secret under which keys are hashed; changing it makes every key unknown.
    """

    def __init__(self, database: Database, versions: AccessVersions, pepper: SecretStr) -> None:
        self._database = database
        self._versions = versions
        self._pepper = pepper.get_secret_value()

    async def create(
        self,
        actor: Actor,
        project_id: uuid.UUID,
        draft: KeyDraft,
        *,
        new_id: uuid.UUID,
        seed: bytes | None = None,
        granting: frozenset[Scope] | None = None,
        reach: Reach = EVERYWHERE,
    ) -> NewKey:
        """Make a key.

        Args:
            actor: Who makes it.
            project_id: Whose key.
            draft: What it is to be like.
            new_id: Its id. With the id and seed of a key that exists, that one is returned.
            seed: At least 32 secret bytes that make the same key again, for a caller whose first
                answer was lost; random when None.
            granting: What the caller may do; None for the administration.
            reach: How far the caller reaches.

        Raises:
            NotFound: There is no such project.
            InvalidField: A value of the draft is wrong.
            NotAllowed: The key would be allowed more than its maker.
            Conflict: There is another key of this id.
        """
        draft = checked_draft(draft)
        refuse_more_than(granting, draft.granted)
        clear_text = generate_key(draft.prefix, draft.kind, seed=seed)
        stored = keys.NewKey(
            id=new_id,
            project_id=project_id,
            key_hash=hash_key(clear_text, self._pepper),
            hint=hint_of(clear_text),
            **{name: getattr(draft, name) for name in _FIELDS},
        )
        async with self._database.transaction() as db:
            project = await accounts.get_project(db, project_id)
            if not reach.covers(project.organization_id, project_id):
                raise NotFound("project", project_id)
            is_new = await keys.insert_key(db, stored)
            found = await keys.find_key(db, new_id)
            if found is None or found.key_hash != stored.key_hash:
                raise Conflict("There is another key of this id.")
            if is_new:
                await _record(db, actor, "key.created", found, None, _shown(draft))
        return NewKey(found.key, clear_text)

    async def list(
        self, project_id: uuid.UUID, page: PageRequest, *, reach: Reach = EVERYWHERE
    ) -> Page[ApiKey]:
        """Return a page of a project's keys, newest first, revoked ones too.

        Raises:
            NotFound: There is no such project.
        """
        async with self._database.reading() as db:
            project = await accounts.get_project(db, project_id)
            if not reach.covers(project.organization_id, project_id):
                raise NotFound("project", project_id)
            return await keys.list_keys(db, project_id, page)

    async def get(self, key_id: uuid.UUID, *, reach: Reach = EVERYWHERE) -> ApiKey:
        """Return a key.

        Raises:
            NotFound: There is no such key.
        """
        async with self._database.reading() as db:
            return _reached(await keys.find_key(db, key_id), key_id, reach).key

    async def update(
        self,
        actor: Actor,
        key_id: uuid.UUID,
        changes: Mapping[str, Any],
        *,
        granting: frozenset[Scope] | None = None,
        reach: Reach = EVERYWHERE,
    ) -> ApiKey:
        """Change what a key is called or may do, from the next request on.

        Args:
            actor: Who changes it.
            key_id: Which key.
            changes: New values by the names in `CHANGEABLE`.
            granting: What the caller may do; None for the administration.
            reach: How far the caller reaches.

        Raises:
            NotFound: There is no such key.
            InvalidField: A field is unknown or a value wrong; nothing was changed.
            NotAllowed: The key would be allowed more than whoever changes it.
        """
        unknown = changes.keys() - CHANGEABLE
        if unknown:
            raise InvalidField(min(unknown), f"{min(unknown)} cannot be changed.")
        async with self._database.transaction() as db:
            found = _reached(await keys.find_key(db, key_id, for_update=True), key_id, reach)
            before = draft_of(found.key)
            after = checked_draft(replace(before, **dict(changes)), before)
            if after == before:
                return found.key
            refuse_more_than(granting, after.granted - before.granted)
            await keys.change_key(db, key_id, {name: getattr(after, name) for name in CHANGEABLE})
            version = await self._versions.raise_in(db, found.organization_id)
            await _record(db, actor, "key.updated", found, _shown(before), _shown(after))
            changed = _reached(await keys.find_key(db, key_id), key_id, reach)
        await self._versions.announce(found.organization_id, version)
        return changed.key

    async def set_limits(
        self, actor: Actor, key_id: uuid.UUID, limits: Mapping[str, int]
    ) -> ApiKey:
        """Give a key limits of its own, in place of all it had; for the administration only.

        Args:
            actor: Who sets them.
            key_id: Which key.
            limits: Requests a minute by API; an API that is absent has its organisation's.

        Raises:
            NotFound: There is no such key.
            InvalidField: An API is unknown, or a number out of range.
        """
        limits = checked_limits(limits)
        async with self._database.transaction() as db:
            found = _reached(await keys.find_key(db, key_id, for_update=True), key_id, EVERYWHERE)
            await keys.change_key(db, key_id, {"limits": limits})
            version = await self._versions.raise_in(db, found.organization_id)
            before, after = {"limits": dict(found.key.limits)}, {"limits": limits}
            await _record(db, actor, "key.limits_changed", found, before, after)
        await self._versions.announce(found.organization_id, version)
        return replace(found.key, limits=limits)

    async def revoke(
        self,
        actor: Actor,
        key_id: uuid.UUID,
        *,
        reason: str = "",
        reach: Reach = EVERYWHERE,
    ) -> ApiKey:
        """Make a key useless at once, also where it is cached. Revoking again changes nothing.

        Raises:
            NotFound: There is no such key.
            InvalidField: The reason is longer than 500 characters.
            StoreUnavailable: Postgres did not answer and nothing was changed; or the cache did
                not, and may honour the revoked key for up to a minute more: revoke again.
        """
        reason = checked_text("reason", reason)
        async with self._database.transaction() as db:
            found = _reached(await keys.find_key(db, key_id, for_update=True), key_id, reach)
            if found.key.revoked_at is None:
                await keys.revoke_key(db, key_id, reason)
                await self._versions.raise_in(db, found.organization_id)
                after = {"revoked": True, "reason": reason}
                await _record(db, actor, "key.revoked", found, {"revoked": False}, after)
            # Read again: revoked, with the version to announce, also when the first time failed to.
            revoked = _reached(await keys.find_key(db, key_id), key_id, reach)
        await self._versions.announce(found.organization_id, revoked.access_version)
        return revoked.key

    async def delete(
        self,
        actor: Actor,
        key_id: uuid.UUID,
        *,
        reason: str = "",
        reach: Reach = EVERYWHERE,
    ) -> None:
        """Revoke a key and show it no more; the audit log keeps it.

        Raises:
            NotFound: There is no such key.
            InvalidField: The reason is longer than 500 characters.
            StoreUnavailable: As for `revoke`.
        """
        reason = checked_text("reason", reason)
        async with self._database.transaction() as db:
            found = _reached(await keys.find_key(db, key_id, for_update=True), key_id, reach)
            await keys.delete_key(db, key_id)
            version = await self._versions.raise_in(db, found.organization_id)
            gone = {"deleted": True, "reason": reason}
            await _record(db, actor, "key.deleted", found, _shown(draft_of(found.key)), gone)
        await self._versions.announce(found.organization_id, version)


_FIELDS = tuple(each.name for each in fields(KeyDraft))


def _reached(found: keys.OwnedKey | None, key_id: uuid.UUID, reach: Reach) -> keys.OwnedKey:
    if found is None or not reach.covers(found.organization_id, found.key.project_id):
        raise NotFound("key", key_id)
    return found


def _shown(draft: KeyDraft) -> dict[str, Any]:
    """Return a draft for the audit log, its scopes in order."""
    return asdict(draft) | {"scopes": sorted(draft.granted)}


async def _record(
    db: WriteSession,
    actor: Actor,
    action: str,
    found: keys.OwnedKey,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    await record_change(
        db,
        actor,
        action,
        target_type="key",
        target_id=found.key.id,
        organization_id=found.organization_id,
        project_id=found.key.project_id,
        before=before,
        after=after,
    )
