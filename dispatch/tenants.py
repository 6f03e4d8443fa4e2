"""Organisations and their projects."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dispatch.access.audit import record_change
from dispatch.access.limits import PLANS, Plan, checked_limits
from dispatch.access.reach import EVERYWHERE, Reach
from dispatch.access.texts import checked_name
from dispatch.access.tokens import SignedIn
from dispatch.access.versions import AccessVersions
from dispatch.accounts import SYSTEM, Actor, Organization, Project
from dispatch.balances import Balances
from dispatch.billing.plans import Resource
from dispatch.errors import Conflict, InvalidField, NotFound, StoreUnavailable
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import accounts
from dispatch.store.repositories.quotas import require_room_for

__all__ = ["Organization", "Project", "Tenants"]

logger = logging.getLogger(__name__)

CHANGEABLE: Final = frozenset({"name", "plan", "external_id", "limits"})
"""Fields of an organisation that may be changed."""

_LONGEST_EXTERNAL_ID: Final = 255
_DEFAULT_PROJECT: Final = "Default"


class Tenants:
    """Who uses the installation; what is out of a caller's reach is not there.

    Args:
        database: The record.
        versions: Tells every process of a change.
        balances: Learns of a new organisation's empty balance.
        default_plan: A new organisation's plan.
    """

    def __init__(
        self,
        database: Database,
        versions: AccessVersions,
        balances: Balances,
        default_plan: Plan = "enterprise",
    ) -> None:
        self._database = database
        self._versions = versions
        self._balances = balances
        self._default_plan = default_plan

    async def create_organization(
        self,
        actor: Actor,
        name: str,
        *,
        new_id: uuid.UUID,
        plan: Plan | None = None,
        external_id: str | None = None,
    ) -> Organization:
        """Create an organisation with an empty balance.

        Args:
            actor: Who creates it.
            name: For people.
            new_id: Its id; with an id that exists, that organisation is returned.
            plan: Its plan; the installation's default when None.
            external_id: How the identity provider names it.

        Raises:
            InvalidField: `name` is empty or longer than 200 characters, or `external_id` is empty
                or longer than 255.
            Conflict: Another organisation has this external id.
        """
        name, external_id = checked_name(name), _checked_external_id(external_id)
        async with self._database.transaction() as db:
            is_new = await accounts.insert_organization(
                db, new_id, name=name, plan=plan or self._default_plan, external_id=external_id
            )
            try:
                organization = await accounts.get_organization(db, new_id)
            except NotFound as exc:
                raise Conflict("Another organisation has this externalId.") from exc
            if is_new:
                await _record(db, actor, "organization.created", new_id, None, _shown(organization))
        if is_new:
            await self._begin_balance(new_id)
        return organization

    async def _begin_balance(self, organization_id: uuid.UUID) -> None:
        try:
            # Without it a first call would be refused as "balance unknown", not "no credit".
            await self._balances.restore(organization_id, 0)
        except StoreUnavailable:
            # The organisation is on record; projection restores every balance Redis lacks.
            logger.warning("balance of a new organisation waits for Redis")

    async def welcome(self, signed_in: SignedIn) -> None:
        """Register the organisation of a user who signs in for it as the first one.

        Raises:
            StoreUnavailable: Postgres did not answer.
        """
        external_id = signed_in.organization
        organization_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{signed_in.issuer}#{external_id}")
        try:
            await self.create_organization(
                SYSTEM,
                signed_in.organization_name[:200],
                new_id=organization_id,
                external_id=external_id,
            )
        except Conflict:
            return  # Registered by hand at this moment.
        await self.create_project(
            SYSTEM, organization_id, _DEFAULT_PROJECT, new_id=uuid.uuid5(organization_id, "default")
        )

    async def get_organization(self, organization_id: uuid.UUID) -> Organization:
        """Return an organisation.

        Raises:
            NotFound: There is none of this id.
        """
        async with self._database.reading() as db:
            return await accounts.get_organization(db, organization_id)

    async def list_organizations(
        self, page: PageRequest, *, reach: Reach = EVERYWHERE
    ) -> Page[Organization]:
        """Return a page of organisations, newest first."""
        async with self._database.reading() as db:
            return await accounts.list_organizations(db, page, only=reach.organization_id)

    async def change_organization(
        self, actor: Actor, organization_id: uuid.UUID, changes: Mapping[str, Any]
    ) -> Organization:
        """Change an organisation's name, plan, limits or external id, from the next request on.

        Args:
            actor: Who changes it.
            organization_id: Which organisation.
            changes: New values by the names in `CHANGEABLE`; `limits` replaces all there were.

        Raises:
            NotFound: There is no such organisation.
            InvalidField: A field is unknown, or a value wrong.
            Conflict: Another organisation has this external id.
            StoreUnavailable: Postgres did not answer and nothing was changed; or Redis did not,
                and the old limits may count for up to a minute more.
        """
        unknown = changes.keys() - CHANGEABLE
        if unknown:
            raise InvalidField(min(unknown), f"{min(unknown)} cannot be changed.")
        async with self._database.transaction() as db:
            before = await accounts.get_organization(db, organization_id)
            after = _checked(replace(before, **dict(changes)))
            values = {name: getattr(after, name) for name in changes}
            if not await accounts.change_organization(db, organization_id, values):
                raise Conflict("Another organisation has this externalId.")
            await _record(
                db, actor, "organization.updated", organization_id, _shown(before), _shown(after)
            )
            version = await self._versions.raise_in(db, organization_id)
        await self._versions.announce(organization_id, version)
        return after

    async def create_project(
        self, actor: Actor, organization_id: uuid.UUID, name: str, *, new_id: uuid.UUID
    ) -> Project:
        """Create a project of an organisation.

        Args:
            actor: Who creates it.
            organization_id: Whose project.
            name: For people.
            new_id: Its id; with an id that exists, that project is returned.

        Raises:
            NotFound: There is no such organisation.
            InvalidField: `name` is empty or longer than 200 characters.
        """
        name = checked_name(name)
        async with self._database.transaction() as db:
            await accounts.get_organization(db, organization_id)
            is_new = await accounts.insert_project(db, new_id, organization_id, name)
            project = await accounts.get_project(db, new_id)
            if project.organization_id != organization_id:
                raise NotFound("project", new_id)
            if is_new:
                await require_room_for(db, organization_id, Resource.PROJECTS)
                await _record(
                    db, actor, "project.created", organization_id, None, {"name": name}, new_id
                )
        return project

    async def get_project(self, project_id: str, *, reach: Reach = EVERYWHERE) -> Project:
        """Return a project by its id as text.

        Raises:
            NotFound: There is no such project.
        """
        async with self._database.reading() as db:
            try:
                project = await accounts.get_project(db, uuid.UUID(project_id))
            except ValueError as exc:
                raise NotFound("project", project_id) from exc
        if not reach.covers(project.organization_id, project.id):
            raise NotFound("project", project_id)
        return project

    async def list_projects(self, organization_id: uuid.UUID, page: PageRequest) -> Page[Project]:
        """Return a page of an organisation's projects, newest first.

        Raises:
            NotFound: There is no such organisation.
        """
        async with self._database.reading() as db:
            await accounts.get_organization(db, organization_id)
            return await accounts.list_projects(db, organization_id, page)


def _checked(organization: Organization) -> Organization:
    if organization.plan not in PLANS:
        raise InvalidField("plan", f"plan must be one of {', '.join(PLANS)}.")
    return replace(
        organization,
        name=checked_name(organization.name),
        external_id=_checked_external_id(organization.external_id),
        limits=checked_limits(organization.limits),
    )


def _checked_external_id(external_id: str | None) -> str | None:
    if external_id is not None and not 1 <= len(external_id) <= _LONGEST_EXTERNAL_ID:
        raise InvalidField(
            "external_id", f"externalId must have 1 to {_LONGEST_EXTERNAL_ID} characters."
        )
    return external_id


def _shown(organization: Organization) -> dict[str, Any]:
    return {name: getattr(organization, name) for name in sorted(CHANGEABLE)}


async def _record(
    db: WriteSession,
    actor: Actor,
    action: str,
    organization_id: uuid.UUID,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    project_id: uuid.UUID | None = None,
) -> None:
    await record_change(
        db,
        actor,
        action,
        target_type="organization" if project_id is None else "project",
        target_id=project_id or organization_id,
        organization_id=organization_id,
        project_id=project_id,
        before=before,
        after=after,
    )
