"""Moves every project to the installation's first key, while calls run."""

import logging
import uuid
from dataclasses import dataclass, field

from dispatch.errors import SecretUnreadable, StoreUnavailable
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.data_keys import read_project_secrets
from dispatch.secrets.envelope import DataKey, KeyRing
from dispatch.secrets.passwords import password_purpose_of, termination_purpose_of
from dispatch.secrets.values import purpose_of
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import outbound_calls, secrets

logger = logging.getLogger(__name__)

_BATCH = 100


@dataclass(slots=True)
class Rotated:
    """What a rotation did."""

    renewed: int = 0
    """Projects that got a new data key."""
    unreadable: list[uuid.UUID] = field(default_factory=list)
    """Projects whose data key no configured key opens; they stay as they are."""
    unpublished: int = 0
    """Projects whose copy in Redis is still the old one; the projection replaces it."""
    in_use: dict[str, int] = field(default_factory=dict)
    """Projects by the installation key that wraps theirs, afterwards."""

    @property
    def sentence(self) -> str:
        """The outcome for whoever ran it."""
        keys = ", ".join(f"{key_id} {count}" for key_id, count in sorted(self.in_use.items()))
        parts = [
            f"New data keys: {self.renewed}.",
            f"Projects by installation key: {keys or 'none'}.",
        ]
        if self.unpublished:
            parts.append(
                f"Redis did not take {self.unpublished}; keep the old key until dispatch has run."
            )
        if self.unreadable:
            parts.append(f"{len(self.unreadable)} cannot be read: their key is not configured.")
        return " ".join(parts)


class Rotation:
    """Gives every project whose data key an older installation key wraps a new data key.

    Each project is one transaction: its key is replaced and its few secrets are sealed anew. So a
    rotation that was cut off goes on where it stopped, a second one finds nothing to do, and a
    leaked data key ends with the installation key that it leaked under. A call meanwhile reads
    either the old copy or the new one, each whole and each readable as long as both installation
    keys are configured.
    """

    def __init__(
        self, database: Database, call_secrets: CallSecrets, routes: Routes, keys: KeyRing
    ) -> None:
        self._database = database
        self._call_secrets = call_secrets
        self._routes = routes
        self._keys = keys

    async def run(self) -> Rotated:
        """Rotate all projects.

        Raises:
            StoreUnavailable: Postgres did not answer; what was done stays done.
        """
        done = Rotated()
        after: uuid.UUID | None = None
        while True:
            async with self._database.reading() as db:
                batch = await secrets.list_wrapped_by_others(db, self._keys.first_id, after, _BATCH)
            for project_id in batch:
                await self._rotate(project_id, done)
            if len(batch) < _BATCH:
                break
            after = batch[-1]
        async with self._database.reading() as db:
            done.in_use = await secrets.count_by_key(db)
        return done

    async def _rotate(self, project_id: uuid.UUID, done: Rotated) -> None:
        try:
            async with self._database.transaction() as db:
                renewed = await self._renew(db, project_id)
        except SecretUnreadable as exc:
            logger.warning(
                "A project's secrets cannot be rotated.",
                extra={"project_id": str(project_id), "reason": str(exc)},
            )
            done.unreadable.append(project_id)
            return
        if not renewed:
            return
        done.renewed += 1
        # Read again: what was put since the commit must not be lost from the copy.
        async with self._database.reading() as db:
            now = await read_project_secrets(db, project_id)
            trunks = await outbound_calls.list_trunks_of(db, project_id)
        try:
            await self._call_secrets.publish(project_id, now)
            for trunk in trunks:
                await self._routes.publish_trunk(trunk)
        except StoreUnavailable:
            done.unpublished += 1

    async def _renew(self, db: WriteSession, project_id: uuid.UUID) -> bool:
        wrapped = await secrets.find_data_key(db, project_id, for_update=True)
        if wrapped is None or wrapped.key_id == self._keys.first_id:
            return False
        old = self._keys.open_data_key(project_id, wrapped)
        new, new_wrapped = self._keys.new_data_key(project_id)
        await secrets.replace_data_key(db, project_id, new_wrapped)
        for secret in await secrets.list_secrets(db, project_id):
            sealed = _reseal(old, new, purpose_of(secret.provider), secret.sealed)
            await secrets.reseal_secret(db, project_id, secret.provider, new.id, sealed)
        for connection_id, password in (await secrets.list_passwords(db, project_id)).items():
            sealed = _reseal(old, new, password_purpose_of(connection_id), password)
            await secrets.reseal_password(db, connection_id, new.id, sealed)
        terminations = await secrets.list_termination_passwords(db, project_id)
        for connection_id, password in terminations.items():
            sealed = _reseal(old, new, termination_purpose_of(connection_id), password)
            await secrets.reseal_termination_password(db, connection_id, new.id, sealed)
        return True


def _reseal(old: DataKey, new: DataKey, purpose: str, sealed: bytes) -> bytes:
    return new.seal(purpose, old.open(purpose, sealed))
