"""Carrier connections: from where, and with which name and password, a carrier may call in."""

import ipaddress
import logging
import re
import uuid
from collections.abc import Sequence
from dataclasses import replace

from pydantic import SecretStr

from dispatch.access.number_changes import record_connection
from dispatch.accounts import Principal
from dispatch.errors import Conflict, InvalidField, NotFound
from dispatch.numbers import CarrierConnection
from dispatch.paging import Page, PageRequest
from dispatch.secrets.data_keys import data_key_for_writing
from dispatch.secrets.envelope import KeyRing
from dispatch.secrets.passwords import seal_password
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import carrier_connections

__all__ = [
    "CarrierConnection",
    "CarrierConnections",
    "checked_provider",
    "create_implied_connection",
]

logger = logging.getLogger(__name__)

_LONGEST_NAME = 100
_LONGEST_CREDENTIAL = 255
_MOST_ADDRESSES = 200
_SHORTEST_OPEN_PREFIX = 8
"""No carrier calls from more than a block this wide; scanners call from everywhere."""
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class CarrierConnections:
    """A project's carrier connections. LiveKit hears of one with its first number.

    Args:
        database: Where they are on record.
        keys: The installation's keys, which protect the passwords.
    """

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    async def create(
        self,
        principal: Principal,
        *,
        name: str,
        provider: str,
        allowed_addresses: Sequence[str] = (),
        auth_username: str | None = None,
        auth_password: SecretStr | None = None,
        new_id: uuid.UUID | None = None,
    ) -> CarrierConnection:
        """Create a connection.

        Args:
            principal: On whose behalf.
            name: For people; 1 to 100 characters.
            provider: The carrier in one lower-case word, such as `twilio`.
            allowed_addresses: IP addresses or CIDR ranges the carrier calls from; without a user
                name each has a prefix of at least 8 bits.
            auth_username: User name the carrier must give; only with a password.
            auth_password: Its password; never returned.
            new_id: Its id, a random one when None. With an id that exists, that connection is
                returned.

        Raises:
            InvalidField: A value is wrong, or neither addresses nor a user name are given.
        """
        name = name.strip()
        if not 1 <= len(name) <= _LONGEST_NAME:
            raise InvalidField("name", f"name must have 1 to {_LONGEST_NAME} characters.")
        provider = checked_provider(provider)
        _check_credentials(auth_username, auth_password)
        addresses = _checked_addresses(allowed_addresses, has_password=auth_username is not None)
        if not addresses and auth_username is None:
            raise InvalidField(
                "allowed_addresses",
                "Give the carrier's addresses, or a user name and a password: "
                "otherwise anybody could call in.",
            )
        connection_id = new_id or uuid.uuid4()
        new = carrier_connections.NewConnection(
            id=connection_id,
            organization_id=principal.organization_id,
            project_id=principal.project_id,
            name=name,
            provider=provider,
            allowed_addresses=addresses,
            auth_username=auth_username,
        )
        async with self._database.transaction() as db:
            there = await carrier_connections.find_connection(
                db, principal.project_id, connection_id
            )
            if there is not None:
                return there
            if auth_password is not None:
                data_key = await data_key_for_writing(db, self._keys, principal.project_id)
                sealed = seal_password(data_key, connection_id, auth_password)
                new = replace(new, auth_password_sealed=sealed, data_key_id=data_key.id)
            created = await carrier_connections.insert_connection(db, new)
            await record_connection(
                db, principal.actor, "carrier_connection.created", None, created
            )
            return created

    async def get(self, principal: Principal, connection_id: uuid.UUID) -> CarrierConnection:
        """Return a connection.

        Raises:
            NotFound: The project has no such connection.
        """
        async with self._database.reading() as db:
            found = await carrier_connections.find_connection(
                db, principal.project_id, connection_id
            )
        if found is None:
            raise NotFound("carrier connection", connection_id)
        return found

    async def list(self, principal: Principal, page: PageRequest) -> Page[CarrierConnection]:
        """Return a page of the project's connections, newest first."""
        async with self._database.reading() as db:
            return await carrier_connections.list_connections(db, principal.project_id, page)

    async def delete(self, principal: Principal, connection_id: uuid.UUID) -> None:
        """Delete a connection that no number uses.

        Raises:
            NotFound: The project has no such connection.
            Conflict: Numbers come in on it.
        """
        async with self._database.transaction() as db:
            found = await carrier_connections.find_connection(
                db, principal.project_id, connection_id, for_update=True
            )
            if found is None:
                raise NotFound("carrier connection", connection_id)
            if await carrier_connections.has_numbers(db, connection_id):
                raise Conflict("Numbers come in on this carrier connection; delete them first.")
            await carrier_connections.delete_connection(db, connection_id)
            await record_connection(db, principal.actor, "carrier_connection.deleted", found, None)


async def create_implied_connection(
    db: WriteSession,
    principal: Principal,
    *,
    provider: str,
    name: str,
    allowed_addresses: tuple[str, ...],
) -> CarrierConnection:
    """Create a connection along with a number that named none, in the number's transaction.

    Args:
        db: The transaction.
        principal: On whose behalf.
        provider: The carrier, checked.
        name: For people.
        allowed_addresses: From where the installation lets carriers call that say nothing.
    """
    created = await carrier_connections.insert_connection(
        db,
        carrier_connections.NewConnection(
            id=uuid.uuid4(),
            organization_id=principal.organization_id,
            project_id=principal.project_id,
            name=name[:_LONGEST_NAME],
            provider=provider,
            allowed_addresses=allowed_addresses,
        ),
    )
    await record_connection(db, principal.actor, "carrier_connection.created", None, created)
    return created


def checked_provider(provider: str) -> str:
    """Return the carrier's name if it is one lower-case word.

    Raises:
        InvalidField: It is not.
    """
    if not _PROVIDER.fullmatch(provider):
        raise InvalidField(
            "provider",
            "provider must be one word of lower-case letters, digits, - and _, such as twilio.",
        )
    return provider


def _checked_addresses(addresses: Sequence[str], *, has_password: bool) -> tuple[str, ...]:
    """Return the addresses in the one form that LiveKit reads too, once each."""
    if len(addresses) > _MOST_ADDRESSES:
        raise InvalidField("allowed_addresses", f"At most {_MOST_ADDRESSES} addresses.")
    checked = []
    for index, address in enumerate(addresses):
        field = f"allowed_addresses.{index}"
        network = _parse_network(field, address)
        if network.prefixlen < _SHORTEST_OPEN_PREFIX and not has_password:
            raise InvalidField(
                field,
                "A network this wide lets nearly anybody call in; name the carrier's own, "
                "or give a user name and a password too.",
            )
        checked.append(str(network) if "/" in address else str(network.network_address))
    return tuple(dict.fromkeys(checked))


def _parse_network(field: str, address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(address)
    except ValueError as exc:
        raise InvalidField(
            field, "Not an IP address or a CIDR range without host bits, such as 192.0.2.0/24."
        ) from exc
    first = network.network_address
    if isinstance(first, ipaddress.IPv6Address) and (first.scope_id or first.ipv4_mapped):
        raise InvalidField(
            field, "An IPv6 address has no zone here, and an IPv4 address is written as such."
        )
    return network


def _check_credentials(username: str | None, password: SecretStr | None) -> None:
    if (username is None) != (password is None):
        missing = "auth_password" if password is None else "auth_username"
        raise InvalidField(missing, "A user name and a password go together.")
    for field, value in (
        ("auth_username", username),
        ("auth_password", None if password is None else password.get_secret_value()),
    ):
        if value is not None and not 1 <= len(value) <= _LONGEST_CREDENTIAL:
            raise InvalidField(field, f"1 to {_LONGEST_CREDENTIAL} characters.")
        if value is not None and not value.isprintable():
            raise InvalidField(field, "No line breaks or other control characters.")
