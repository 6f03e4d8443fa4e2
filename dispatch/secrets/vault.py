"""What a project keeps secret for its providers: put, listed without being told, deleted."""

import logging
import uuid
from collections.abc import Mapping

from dispatch.access.audit import record_change
from dispatch.accounts import Actor
from dispatch.errors import InvalidField, NotFound, SecretUnreadable, StoreUnavailable
from dispatch.sealed import SealedSecret, WrappedKey
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.data_keys import data_key_for_writing, read_project_secrets
from dispatch.secrets.envelope import KeyRing
from dispatch.secrets.values import (
    MOST_PROVIDERS,
    MaskedSecret,
    checked_provider,
    checked_values,
    from_bytes,
    is_provider,
    mask,
    purpose_of,
    to_bytes,
)
from dispatch.store.engine import Database
from dispatch.store.repositories import accounts, secrets

logger = logging.getLogger(__name__)


class Secrets:
    """Secrets of all projects, in Postgres and, sealed alike, where calls read them.

    When Redis does not answer, a change is kept all the same and the projection publishes it.

    Args:
        database: Where they are on record.
        call_secrets: Where calls read them.
        keys: The installation's keys.
    """

    def __init__(self, database: Database, call_secrets: CallSecrets, keys: KeyRing) -> None:
        self._database = database
        self._call_secrets = call_secrets
        self._keys = keys

    async def put(
        self, actor: Actor, project_id: uuid.UUID, provider: str, values: Mapping[str, str]
    ) -> MaskedSecret:
        """Keep a provider's values, in place of all that were kept for it before.

        Args:
            actor: Who does.
            project_id: Whose they are.
            provider: In one lower-case word, such as `openai`.
            values: By name, such as `api_key`.

        Raises:
            InvalidField: The provider, a name or a value cannot be kept.
            NotFound: There is no such project.
            SecretUnreadable: The project's key does not open with the configured keys.
        """
        checked_provider(provider)
        given = checked_values(values)
        async with self._database.transaction() as db:
            project = await accounts.get_project(db, project_id)
            data_key = await data_key_for_writing(db, self._keys, project_id)
            kept = await secrets.list_secrets(db, project_id)
            before = _find(kept, provider)
            if before is None and len(kept) >= MOST_PROVIDERS:
                raise InvalidField(
                    "provider", f"A project keeps secrets of at most {MOST_PROVIDERS} providers."
                )
            sealed = data_key.seal(purpose_of(provider), to_bytes(given))
            secret = await secrets.put_secret(db, project_id, provider, data_key.id, sealed)
            await secrets.touch_data_key(db, project_id)
            await record_change(
                db,
                actor,
                "secret.put",
                target_type="secret",
                target_id=provider,
                organization_id=project.organization_id,
                project_id=project_id,
                before=None if before is None else {"updated_at": before.updated_at},
                after={"updated_at": secret.updated_at, "names": sorted(given)},
            )
        await self._publish(project_id)
        return _masked(secret, given)

    async def masked(self, project_id: uuid.UUID) -> tuple[MaskedSecret, ...]:
        """Return what the project keeps, by provider, with hardly anything of each value.

        Raises:
            NotFound: There is no such project.
            SecretUnreadable: A secret does not open with the configured keys.
        """
        async with self._database.reading() as db:
            await accounts.get_project(db, project_id)
            data_key = await secrets.find_data_key(db, project_id)
            kept = await secrets.list_secrets(db, project_id)
        return tuple(_masked(secret, self._open(project_id, data_key, secret)) for secret in kept)

    async def reveal(self, actor: Actor, project_id: uuid.UUID, provider: str) -> dict[str, str]:
        """Return a provider's values in clear; that somebody did is written down first.

        Raises:
            NotFound: The project keeps nothing for this provider, or there is no such project.
            SecretUnreadable: The secret does not open with the configured keys.
        """
        async with self._database.transaction() as db:
            project = await accounts.get_project(db, project_id)
            data_key = await secrets.find_data_key(db, project_id, for_update=True)
            secret = _find(await secrets.list_secrets(db, project_id), provider)
            if secret is None:
                raise NotFound("secret", provider)
            values = self._open(project_id, data_key, secret)
            await record_change(
                db,
                actor,
                "secret.revealed",
                target_type="secret",
                target_id=provider,
                organization_id=project.organization_id,
                project_id=project_id,
            )
        return values

    async def delete(self, actor: Actor, project_id: uuid.UUID, provider: str) -> None:
        """Forget a provider's values.

        Raises:
            NotFound: The project keeps nothing for this provider, or there is no such project.
        """
        async with self._database.transaction() as db:
            project = await accounts.get_project(db, project_id)
            await secrets.find_data_key(db, project_id, for_update=True)
            if not is_provider(provider) or not await secrets.delete_secret(
                db, project_id, provider
            ):
                raise NotFound("secret", provider)
            await secrets.touch_data_key(db, project_id)
            await record_change(
                db,
                actor,
                "secret.deleted",
                target_type="secret",
                target_id=provider,
                organization_id=project.organization_id,
                project_id=project_id,
            )
        await self._publish(project_id)

    async def for_call(self, project_id: uuid.UUID, provider: str) -> dict[str, str]:
        """Return a provider's values from where calls read them, empty when there are none.

        Raises:
            StoreUnavailable: Redis did not answer.
            SecretUnreadable: The secret does not open with the configured keys.
        """
        return await self._call_secrets.for_call(project_id, provider)

    def _open(
        self, project_id: uuid.UUID, data_key: WrappedKey | None, secret: SealedSecret
    ) -> dict[str, str]:
        if data_key is None or data_key.id != secret.data_key_id:
            raise SecretUnreadable("A secret on record has lost its data key.")
        opened = self._keys.open_data_key(project_id, data_key)
        return from_bytes(opened.open(purpose_of(secret.provider), secret.sealed))

    async def _publish(self, project_id: uuid.UUID) -> None:
        async with self._database.reading() as db:
            found = await read_project_secrets(db, project_id)
        try:
            await self._call_secrets.publish(project_id, found)
        except StoreUnavailable:
            logger.warning(
                "Secrets are saved but not published yet.", extra={"project_id": str(project_id)}
            )


def _find(kept: tuple[SealedSecret, ...], provider: str) -> SealedSecret | None:
    return next((secret for secret in kept if secret.provider == provider), None)


def _masked(secret: SealedSecret, values: Mapping[str, str]) -> MaskedSecret:
    return MaskedSecret(
        provider=secret.provider,
        values={name: mask(value) for name, value in values.items()},
        created_at=secret.created_at,
        updated_at=secret.updated_at,
    )
