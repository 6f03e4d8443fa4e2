"""A project's data key: in a transaction that seals with it, and with all that it seals."""

import uuid

from dispatch.errors import SecretUnreadable, StoreUnavailable
from dispatch.sealed import ProjectSecrets
from dispatch.secrets.envelope import DataKey, KeyRing
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories import secrets


async def data_key_for_writing(db: WriteSession, keys: KeyRing, project_id: uuid.UUID) -> DataKey:
    """Return a project's data key, made on first use, and keep it until the transaction ends.

    A rotation waits for the transaction, so what is sealed in it is never left behind under the key
    that the rotation replaces.

    Raises:
        SecretUnreadable: The installation key that wraps it is not configured.
    """
    wrapped = await secrets.find_data_key(db, project_id, for_update=True)
    if wrapped is None:
        data_key, wrapped = keys.new_data_key(project_id)
        if await secrets.insert_data_key(db, project_id, wrapped):
            return data_key
        wrapped = await secrets.find_data_key(db, project_id, for_update=True)
    if wrapped is None:
        raise StoreUnavailable("The project's data key went away.")
    return keys.open_data_key(project_id, wrapped)


async def read_project_secrets(db: ReadSession, project_id: uuid.UUID) -> ProjectSecrets:
    """Return all of a project's secrets as they are published.

    Raises:
        SecretUnreadable: The project never had a secret.
    """
    found = await secrets.find_project_secrets(db, project_id)
    if found is None:
        raise SecretUnreadable("The project has no data key.")
    return found
