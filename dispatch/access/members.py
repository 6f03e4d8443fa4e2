"""Members: who of an organisation may do what, when they sign in."""

import uuid
from typing import Final

from dispatch.access.audit import record_change
from dispatch.access.texts import LONGEST_NAME
from dispatch.access.versions import AccessVersions
from dispatch.accounts import Actor, Member, Role
from dispatch.errors import Conflict, InvalidField, NotAllowed, NotFound
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import accounts, members

__all__ = ["Member", "Members"]

_LONGEST_SUBJECT: Final = 320


class Members:
    """The members of organisations.

    A role here counts for more than one that the identity provider's token claims. Only an owner,
    or the installation's administrator, makes and unmakes owners.

    Args:
        database: The record.
        versions: Tells every process of a change.
    """

    def __init__(self, database: Database, versions: AccessVersions) -> None:
        self._database = database
        self._versions = versions

    async def add(
        self,
        actor: Actor,
        organization_id: uuid.UUID,
        *,
        subject: str,
        name: str,
        role: Role,
        new_id: uuid.UUID,
        as_role: Role | None = None,
    ) -> Member:
        """Add a member.

        Args:
            actor: Who adds.
            organization_id: To which organisation.
            subject: The `sub` of their tokens, or their email address as the identity provider
                verified it.
            name: For people; may be empty.
            role: What they may do.
            new_id: The member's id; with an id that exists, that member is returned.
            as_role: The actor's own role; None for the administration.

        Raises:
            NotFound: There is no such organisation.
            InvalidField: The subject is empty or too long, or the name too long.
            NotAllowed: Only an owner makes owners.
            Conflict: This subject is a member already.
        """
        _check_owners(as_role, role)
        subject = _checked_subject(subject)
        name = name.strip()
        if len(name) > LONGEST_NAME:
            raise InvalidField("name", f"name must have at most {LONGEST_NAME} characters.")
        new = members.NewMember(new_id, organization_id, subject, name, role)
        async with self._database.transaction() as db:
            await accounts.get_organization(db, organization_id)
            is_new = await members.insert_member(db, new)
            found = await members.find_member(db, organization_id, new_id)
            if found is None or found.subject != subject:
                raise Conflict("This subject is a member already.")
            if is_new:
                await _record(db, actor, "member.added", found, None, role)
            version = await self._versions.raise_in(db, organization_id)
        await self._versions.announce(organization_id, version)
        return found

    async def list(self, organization_id: uuid.UUID, page: PageRequest) -> Page[Member]:
        """Return a page of an organisation's members, newest first.

        Raises:
            NotFound: There is no such organisation.
        """
        async with self._database.reading() as db:
            await accounts.get_organization(db, organization_id)
            return await members.list_members(db, organization_id, page)

    async def change_role(
        self,
        actor: Actor,
        organization_id: uuid.UUID,
        member_id: uuid.UUID,
        role: Role,
        *,
        as_role: Role | None = None,
    ) -> Member:
        """Give a member another role, from their next request on.

        Raises:
            NotFound: The organisation has no such member.
            NotAllowed: Only an owner makes and unmakes owners.
            StoreUnavailable: Postgres did not answer and nothing was changed; or Redis did not,
                and the old role may count for up to a minute more: send it again.
        """
        async with self._database.transaction() as db:
            before = await _locked(db, organization_id, member_id)
            _check_owners(as_role, role, before.role)
            await members.change_role(db, member_id, role)
            if before.role != role:
                await _record(db, actor, "member.role_changed", before, before.role, role)
            version = await self._versions.raise_in(db, organization_id)
            after = await _locked(db, organization_id, member_id)
        await self._versions.announce(organization_id, version)
        return after

    async def remove(
        self,
        actor: Actor,
        organization_id: uuid.UUID,
        member_id: uuid.UUID,
        *,
        as_role: Role | None = None,
    ) -> None:
        """Remove a member; what their role here gave them ends with this.

        Raises:
            NotFound: The organisation has no such member.
            NotAllowed: Only an owner unmakes owners.
            StoreUnavailable: As for `change_role`.
        """
        async with self._database.transaction() as db:
            before = await _locked(db, organization_id, member_id)
            _check_owners(as_role, before.role)
            await members.delete_member(db, member_id)
            await _record(db, actor, "member.removed", before, before.role, None)
            version = await self._versions.raise_in(db, organization_id)
        await self._versions.announce(organization_id, version)


async def _locked(db: WriteSession, organization_id: uuid.UUID, member_id: uuid.UUID) -> Member:
    found = await members.find_member(db, organization_id, member_id, for_update=True)
    if found is None:
        raise NotFound("member", member_id)
    return found


def _check_owners(as_role: Role | None, *roles: Role) -> None:
    if as_role not in (None, "owner") and "owner" in roles:
        raise NotAllowed("Only an owner makes and unmakes owners.")


def _checked_subject(subject: str) -> str:
    stripped = subject.strip()
    if not 1 <= len(stripped) <= _LONGEST_SUBJECT:
        raise InvalidField("subject", f"subject must have 1 to {_LONGEST_SUBJECT} characters.")
    # Providers tell addresses in any case; a `sub` is told apart by it and never holds an `@`
    # that is one.
    return stripped.lower() if "@" in stripped else stripped


async def _record(
    db: WriteSession,
    actor: Actor,
    action: str,
    member: Member,
    before: Role | None,
    after: Role | None,
) -> None:
    # The subject may be an email address; the log is for the tenant's eyes only and names people.
    who = {"subject": member.subject, "name": member.name}
    await record_change(
        db,
        actor,
        action,
        target_type="member",
        target_id=member.id,
        organization_id=member.organization_id,
        before=None if before is None else who | {"role": before},
        after=None if after is None else who | {"role": after},
    )
