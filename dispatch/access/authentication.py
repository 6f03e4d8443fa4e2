"""Who is asking: the holder of a key, or a user with a token; and how often they ask."""

import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import SecretStr

from dispatch.access.limits import APIS, window_of
from dispatch.access.tokens import SignedIn, TokenVerifier
from dispatch.accounts import ROLE_SCOPES, Actor, Principal, Role
from dispatch.api_keys import hash_key, is_well_formed
from dispatch.errors import NotAllowed, NotFound, StoreUnavailable
from dispatch.store.credential_cache import (
    LIFE_S,
    Credential,
    CredentialCache,
    Presumed,
    RateState,
)
from dispatch.store.engine import Database, ReadSession
from dispatch.store.repositories import accounts, keys, members

logger = logging.getLogger(__name__)

_TRIES: Final = 3
"""Each is spoilt only by a change of access in the very moment of the look-up. Then Postgres is
believed, but nothing may be spent: the request could not be counted."""

FirstSight = Callable[[SignedIn], Awaitable[None]]
"""Registers an organisation that signs in for the first time."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, from which pages they may, and how the request was counted."""

    principal: Principal
    allowed_origins: tuple[str, ...]
    rate: RateState | None
    """None when Redis did not answer, or the API has no limit."""
    is_counted: bool
    """False when Redis did not answer: then nothing may be spent."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user who administers their organisation."""

    actor: Actor
    organization_id: uuid.UUID
    role: Role


@dataclass(frozen=True, slots=True)
class _Found:
    credential: Credential
    plan: str
    organization_limits: dict[str, int]
    key_limits: dict[str, int]


class Authentication:
    """Tells who a credential belongs to.

    What Postgres said is kept in Redis for a minute, and asked for there together with the rate
    limit, in one round trip. Whatever takes something from a credential outdates what is kept, so
    that it works at once and everywhere.

    Args:
        database: The record.
        cache: What was found lately, and how often it was used.
        pepper: Secret under which credentials are hashed.
        tokens: Checks users' tokens; None accepts only keys.
        first_sight: Registers organisations nobody has; None refuses them.
    """

    def __init__(
        self,
        database: Database,
        cache: CredentialCache,
        pepper: SecretStr,
        tokens: TokenVerifier | None = None,
        first_sight: FirstSight | None = None,
    ) -> None:
        self._database = database
        self._cache = cache
        self._pepper = pepper.get_secret_value()
        self._tokens = tokens
        self._first_sight = first_sight

    async def identify(self, credential: str, api: str, project: str = "") -> Caller | None:
        """Return who a credential belongs to, and count the request.

        Args:
            credential: A key, or a user's token.
            api: Which API is asked; its limit counts.
            project: Which project of their organisation a user means; its first when empty. A key
                has its own.

        Returns:
            None when the credential is malformed, unknown, revoked or expired. A caller over the
            limit is returned like any other: `rate` tells.

        Raises:
            NotAllowed: A user's organisation is not registered here, or has no project.
            NotFound: A user's organisation has no such project.
            StoreUnavailable: The credential is not cached and Postgres did not answer.
        """
        is_key = is_well_formed(credential)
        if not is_key and (self._tokens is None or credential.count(".") != 2):
            return None
        digest = self._digest(credential, project, is_key=is_key)
        tries = 0
        while True:
            tries += 1
            try:
                used = await self._cache.use(digest, api)
            except StoreUnavailable:
                logger.warning("The credential cache did not answer; asking Postgres.")
                found = await self._look_up(digest, credential, project, is_key=is_key)
                return None if found is None else _uncounted(found)
            if used is not None:
                return _caller(*used, is_counted=True)
            found = await self._look_up(digest, credential, project, is_key=is_key)
            if found is None or tries == _TRIES:
                return None if found is None else _uncounted(found)
            await self._remember(digest, found)

    def presume(self, key: str, api: str) -> Presumed | None:
        """Return whom a key belonged to when it was used here last. No I/O.

        The script that carries the request out must confirm it (`Presumed.confirm`).

        Args:
            key: A key; a user's token is never presumed.
            api: Which API is asked; its limit counts.

        Returns:
            None when the key is not known here: ask `identify`.
        """
        # What is no key was never remembered: its checksum need not be looked at.
        presumed = self._cache.presume(self._digest(key, "", is_key=True), api)
        if presumed is None or not presumed.credential.is_good_at(datetime.now(UTC)):
            return None
        return presumed

    async def administer(self, token: str) -> Member | None:
        """Return the user of a token as a member of their organisation; None as for `identify`.

        Raises:
            NotAllowed: The organisation is not registered here.
            StoreUnavailable: Postgres did not answer.
        """
        signed_in = await self._verified(token)
        if signed_in is None:
            return None
        organization, role = await self._organization_of(signed_in)
        actor = Actor("user", signed_in.subject, signed_in.name, organization.id)
        return Member(actor, organization.id, role)

    def _digest(self, credential: str, project: str, *, is_key: bool) -> str:
        # Hashed whatever it is: what is in Redis cannot be used to sign in.
        return hash_key(credential if is_key else f"{credential}\n{project}", self._pepper)

    async def _look_up(
        self, digest: str, credential: str, project: str, *, is_key: bool
    ) -> _Found | None:
        if is_key:
            return await self._look_up_key(digest)
        return await self._look_up_token(credential, project)

    async def _look_up_key(self, digest: str) -> _Found | None:
        async with self._database.reading() as db:
            found = await keys.find_by_hash(db, digest)
        if found is None:
            return None
        key = found.key
        principal = Principal(
            organization_id=found.organization_id,
            project_id=key.project_id,
            key_id=key.id,
            name=key.name,
            scopes=key.scopes,
            kind=key.kind,
        )
        credential = Credential(
            principal=principal,
            version=found.access_version,
            expires_at=key.expires_at,
            allowed_origins=key.allowed_origins,
            is_revoked=key.revoked_at is not None,
        )
        return _Found(
            credential, found.organization_plan, dict(found.organization_limits), dict(key.limits)
        )

    async def _look_up_token(self, token: str, project: str) -> _Found | None:
        signed_in = await self._verified(token)
        if signed_in is None:
            return None
        organization, role = await self._organization_of(signed_in)
        async with self._database.reading() as db:
            project_id = await _project_of(db, organization, project)
        principal = Principal(
            organization_id=organization.id,
            project_id=project_id,
            key_id=uuid.uuid5(uuid.NAMESPACE_URL, f"{signed_in.issuer}#{signed_in.subject}"),
            name=signed_in.name,
            scopes=ROLE_SCOPES[role],
            kind="user",
            role=role,
            user_id=signed_in.subject,
        )
        credential = Credential(
            principal=principal,
            version=organization.access_version,
            expires_at=signed_in.expires_at,
        )
        return _Found(credential, organization.plan, dict(organization.limits), {})

    async def _verified(self, token: str) -> SignedIn | None:
        return None if self._tokens is None else await self._tokens.verify(token)

    async def _organization_of(
        self, signed_in: SignedIn
    ) -> tuple[accounts.SignedInOrganization, Role]:
        if signed_in.organization is None:
            raise NotAllowed("The token names no organisation.")
        subjects = [each for each in (signed_in.subject, _lower(signed_in.email)) if each]
        for is_last in (self._first_sight is None, True):
            async with self._database.reading() as db:
                organization = await accounts.find_external(db, signed_in.organization)
                # Without a project it may be one whose first sight is going on, or was cut off.
                if organization is not None and (is_last or organization.first_project_id):
                    member = await members.find_by_subjects(db, organization.id, subjects)
                    return organization, signed_in.role if member is None else member.role
            if is_last or self._first_sight is None:
                break
            await self._first_sight(signed_in)
        raise NotAllowed("The token's organisation is not registered here.")

    async def _remember(self, digest: str, found: _Found) -> None:
        principal, expires_at = found.credential.principal, found.credential.expires_at
        life_s = LIFE_S
        if expires_at is not None:
            left_s = (expires_at - datetime.now(UTC)).total_seconds()
            life_s = max(1, min(LIFE_S, int(left_s) + 1))
        organization = (str(principal.organization_id), found.organization_limits)
        key = (str(principal.key_id), found.key_limits)
        windows = {str(api): window_of(api, found.plan, organization, key) for api in APIS}
        try:
            await self._cache.remember(digest, found.credential, windows, life_s)
        except StoreUnavailable:
            logger.warning("The credential cache could not be written.")


def _caller(credential: Credential, rate: RateState | None, *, is_counted: bool) -> Caller | None:
    if not credential.is_good_at(datetime.now(UTC)):
        return None
    return Caller(credential.principal, credential.allowed_origins, rate, is_counted)


def _uncounted(found: _Found) -> Caller | None:
    return _caller(found.credential, None, is_counted=False)


async def _project_of(
    db: ReadSession, organization: accounts.SignedInOrganization, wanted: str
) -> uuid.UUID:
    if not wanted:
        if organization.first_project_id is None:
            raise NotAllowed("The organisation has no project yet.")
        return organization.first_project_id
    try:
        project = await accounts.get_project(db, uuid.UUID(wanted))
    except ValueError as exc:
        raise NotFound("project", wanted) from exc
    if project.organization_id != organization.id:
        raise NotFound("project", wanted)
    return project.id


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
