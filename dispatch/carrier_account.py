"""Where, and as whom, a carrier is called: what such an account must keep to."""

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from pydantic import SecretStr

from dispatch.access.audit import record_change
from dispatch.accounts import Principal
from dispatch.errors import InvalidField
from dispatch.secrets.data_keys import data_key_for_writing
from dispatch.secrets.envelope import KeyRing
from dispatch.secrets.passwords import termination_purpose_of
from dispatch.store.engine import WriteSession
from dispatch.store.repositories import terminations
from telephony.host_names import DOTTED_HOST, HOST, LONGEST_HOST, PORT

_LONGEST_CREDENTIAL: Final = 255


def checked_host(text: str, wrong: InvalidField, *, dotted: bool = False) -> str:
    """Return a carrier's host as `host[:port]`, in lower case and without `sip:` before it.

    Args:
        text: As it was sent.
        wrong: Raised when it is no host.
        dotted: Whether the name must have a dot, as every public one does.

    Raises:
        InvalidField: It is no host; `wrong`.
    """
    host = text.strip().lower().removeprefix("sip:")
    pattern = f"{DOTTED_HOST if dotted else HOST}(?::{PORT})?"
    if re.fullmatch(pattern, host) is None or len(host.partition(":")[0]) > LONGEST_HOST:
        raise wrong
    return host


def check_credentials(
    username: str | None, password: SecretStr | None, *, field_prefix: str = ""
) -> None:
    """Accept a user name, with or without a password, or neither.

    Args:
        username: As it was sent.
        password: Likewise.
        field_prefix: Goes before `username` and `password` where errors name them.

    Raises:
        InvalidField: One is too long, or holds control characters, or the user name is missing.
    """
    secret = None if password is None else password.get_secret_value()
    for field, text in (("username", username), ("password", secret)):
        if text is not None and not (1 <= len(text) <= _LONGEST_CREDENTIAL and text.isprintable()):
            raise InvalidField(
                f"{field_prefix}{field}",
                f"1 to {_LONGEST_CREDENTIAL} characters, none of them a control character.",
            )
    if password is not None and username is None:
        raise InvalidField(f"{field_prefix}username", "A password goes with a user name.")


async def record_account_change(
    db: WriteSession,
    principal: Principal,
    connection_id: uuid.UUID,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    """Put on record who changed where, and as whom, a connection's carrier is called."""
    await record_change(
        db,
        principal.actor,
        "carrier_connection.account_changed",
        target_type="carrier_connection",
        target_id=connection_id,
        organization_id=principal.organization_id,
        project_id=principal.project_id,
        before=before,
        after=after,
    )


async def store_account_password(
    db: WriteSession,
    keys: KeyRing,
    project_id: uuid.UUID,
    connection_id: uuid.UUID,
    password: SecretStr,
) -> None:
    """Seal the password for calls to a connection's carrier and keep it, in place of the last."""
    data_key = await data_key_for_writing(db, keys, project_id)
    sealed = data_key.seal(
        termination_purpose_of(connection_id), password.get_secret_value().encode()
    )
    await terminations.set_termination_password(db, connection_id, sealed, data_key.id)
