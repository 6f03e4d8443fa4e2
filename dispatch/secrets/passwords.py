"""Carriers' passwords, sealed like every other secret and bound to their connection."""

import uuid

from pydantic import SecretStr

from dispatch.errors import SecretUnreadable
from dispatch.sealed import SealedPassword
from dispatch.secrets.envelope import DataKey, KeyRing


def password_purpose_of(connection_id: uuid.UUID) -> str:
    """Return what the sealed password of a carrier connection is bound to."""
    return f"carrier-connection/{connection_id}"


def termination_purpose_of(connection_id: uuid.UUID) -> str:
    """Return what the sealed password for calls to the carrier is bound to."""
    return f"carrier-connection/{connection_id}/termination"


def seal_password(data_key: DataKey, connection_id: uuid.UUID, password: SecretStr) -> bytes:
    """Return a password as it is kept."""
    return data_key.seal(password_purpose_of(connection_id), password.get_secret_value().encode())


def open_password(keys: KeyRing, password: SealedPassword) -> SecretStr:
    """Return a password in clear, for the trunk that has to ask for it.

    Raises:
        SecretUnreadable: It does not open with the configured keys.
    """
    if password.data_key is None:
        raise SecretUnreadable("A carrier's password has lost its data key.")
    data_key = keys.open_data_key(password.project_id, password.data_key)
    plain = data_key.open(password_purpose_of(password.connection_id), password.sealed)
    return SecretStr(plain.decode())
