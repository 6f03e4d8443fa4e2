"""Organisations, their projects, and the keys with which projects use the API."""

import logging
import uuid
from datetime import UTC, datetime

from pydantic import SecretStr

from dispatch.accounts import ApiKey, KeyPrefix, Organization, Principal, Project
from dispatch.api_keys import PREFIXES, generate_key, hash_key, hint_of, is_well_formed
from dispatch.balances import Balances
from dispatch.errors import InvalidField, NotFound, StoreUnavailable
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import Database
from dispatch.store.key_cache import CachedKey, KeyCache
from dispatch.store.repositories import accounts

__all__ = ["ApiKey", "Organization", "Principal", "Project", "Tenants"]

logger = logging.getLogger(__name__)

_LONGEST_NAME = 200


class Tenants:
    """Who may use the installation.

    Args:
        database: The record.
        key_cache: Answers for keys seen in the last minute.
        balances: Learns of a new organisation's empty balance.
        pepper: Secret under which keys are hashed; changing it makes every key unknown.
    """

    def __init__(
        self, database: Database, key_cache: KeyCache, balances: Balances, pepper: SecretStr
    ) -> None:
        self._database = database
        self._key_cache = key_cache
        self._balances = balances
        self._pepper = pepper.get_secret_value()

    async def create_organization(self, name: str) -> Organization:
        """Create an organisation with an empty balance.

        Raises:
            InvalidField: `name` is empty or longer than 200 characters.
        """
        async with self._database.transaction() as db:
            organization = await accounts.insert_organization(db, _checked_name(name))
        try:
            # Without it a first call would be refused as "balance unknown", not "no credit".
            await self._balances.restore(organization.id, 0)
        except StoreUnavailable:
            # The organisation is on record; projection restores every balance Redis lacks.
            logger.warning("balance of a new organisation waits for Redis")
        return organization

    async def get_organization(self, organization_id: uuid.UUID) -> Organization:
        """Return an organisation.

        Raises:
            NotFound: There is none of this id.
        """
        async with self._database.reading() as db:
            return await accounts.get_organization(db, organization_id)

    async def list_organizations(self, page: PageRequest) -> Page[Organization]:
        """Return a page of organisations, newest first."""
        async with self._database.reading() as db:
            return await accounts.list_organizations(db, page)

    async def create_project(self, organization_id: uuid.UUID, name: str) -> Project:
        """Create a project of an organisation.

        Raises:
            NotFound: There is no such organisation.
            InvalidField: `name` is empty or longer than 200 characters.
        """
        name = _checked_name(name)
        async with self._database.transaction() as db:
            await accounts.get_organization(db, organization_id)
            return await accounts.insert_project(db, organization_id, name)

    async def list_projects(self, organization_id: uuid.UUID, page: PageRequest) -> Page[Project]:
        """Return a page of an organisation's projects, newest first.

        Raises:
            NotFound: There is no such organisation.
        """
        async with self._database.reading() as db:
            await accounts.get_organization(db, organization_id)
            return await accounts.list_projects(db, organization_id, page)

    async def create_key(
        self,
        project_id: uuid.UUID,
        *,
        name: str,
        prefix: KeyPrefix = "pk",
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Create a key and return what is kept of it, and the key itself: only here, only once.

        Raises:
            NotFound: There is no such project.
            InvalidField: A bad name, an unknown prefix, or an `expires_at` that is naive, past
                or after the year 9999.
        """
        name = _checked_name(name)
        if prefix not in PREFIXES:
            raise InvalidField("prefix", "prefix must be pk or tk.")
        _check_expiry(expires_at)
        key = generate_key(prefix)
        async with self._database.transaction() as db:
            await accounts.get_project(db, project_id)
            stored = await accounts.insert_key(
                db,
                accounts.NewKey(
                    project_id=project_id,
                    name=name,
                    prefix=prefix,
                    key_hash=hash_key(key, self._pepper),
                    hint=hint_of(key),
                    expires_at=expires_at,
                ),
            )
        return stored, key

    async def list_keys(self, project_id: uuid.UUID, page: PageRequest) -> Page[ApiKey]:
        """Return a page of a project's keys, newest first, revoked ones too.

        Raises:
            NotFound: There is no such project.
        """
        async with self._database.reading() as db:
            await accounts.get_project(db, project_id)
            return await accounts.list_keys(db, project_id, page)

    async def revoke_key(self, key_id: uuid.UUID) -> ApiKey:
        """Make a key useless at once, also where it is cached. Revoking again changes nothing.

        Raises:
            NotFound: There is no such key.
            StoreUnavailable: Postgres did not answer and nothing was changed; or the cache did
                not, and may honour the revoked key for up to a minute more: revoke again.
        """
        async with self._database.transaction() as db:
            revoked = await accounts.revoke_key(db, key_id)
        if revoked is None:
            raise NotFound("key", key_id)
        key, key_hash = revoked
        await self._key_cache.refuse(key_hash)
        return key

    async def authenticate(self, key: str) -> Principal | None:
        """Return the owner of a key; None when it is malformed, unknown, revoked or expired.

        Raises:
            StoreUnavailable: The key is not cached and Postgres did not answer.
        """
        if not is_well_formed(key):
            return None
        key_hash = hash_key(key, self._pepper)
        cached = await self._find_cached(key_hash)
        if cached is None:
            cached = await self._look_up(key_hash)
        return None if cached is None else cached.principal_at(datetime.now(UTC))

    async def _find_cached(self, key_hash: str) -> CachedKey | None:
        try:
            return await self._key_cache.find(key_hash)
        except StoreUnavailable:
            # Postgres knows every key; without the cache it is only asked more often.
            logger.warning("The key cache did not answer; asking Postgres.")
            return None

    async def _look_up(self, key_hash: str) -> CachedKey | None:
        async with self._database.reading() as db:
            known = await accounts.find_key(db, key_hash)
        if known is None:
            return None
        try:
            await self._key_cache.remember(key_hash, known)
        except StoreUnavailable:
            logger.warning("The key cache could not be written.")
        return known


def _checked_name(name: str) -> str:
    stripped = name.strip()
    if not 1 <= len(stripped) <= _LONGEST_NAME:
        raise InvalidField("name", f"name must have 1 to {_LONGEST_NAME} characters.")
    return stripped


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is None:
        return
    if expires_at.tzinfo is None:
        raise InvalidField("expires_at", "expiresAt must carry its time zone.")
    if expires_at <= datetime.now(UTC):
        raise InvalidField("expires_at", "expiresAt must lie in the future.")
    try:
        expires_at.astimezone(UTC)
    except OverflowError as exc:
        # Postgres would take the year 10000, and nobody could read it back.
        raise InvalidField("expires_at", "expiresAt must lie before the year 10000.") from exc
