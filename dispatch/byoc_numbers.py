"""Numbers that are registered together with their carrier: bring your own carrier, in one step.

Some clients know no carrier connections: they say for each number where its carrier is called. Such
numbers share a connection when the carrier and the account there are the same, so that ten thousand
numbers of one account are still a handful of trunks.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from dispatch.accounts import Principal
from dispatch.carrier_account import (
    check_credentials,
    checked_host,
    record_account_change,
    store_account_password,
)
from dispatch.carrier_connections import create_implied_connection
from dispatch.errors import InvalidField, NotFound
from dispatch.numbers import UNCHANGED, AgentChange, PhoneNumber, Unchanged
from dispatch.paging import Page, PageRequest
from dispatch.phone_numbers import PhoneNumbers, require_voice_agent
from dispatch.secrets.envelope import KeyRing
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import carrier_connections, terminations
from dispatch.store.repositories.terminations import Termination

_CARRIERS: Final = {
    "twilio.com": "twilio",
    "telnyx.com": "telnyx",
    "plivo.com": "plivo",
    "nexmo.com": "vonage",
    "vonage.com": "vonage",
    "signalwire.com": "signalwire",
    "bandwidth.com": "bandwidth",
}
"""Whose the host is, by the end of its name."""


@dataclass(frozen=True, slots=True)
class ByocNumber:
    """A number, where its carrier is called, and its agents by name."""

    number: PhoneNumber
    termination_uri: str | None
    inbound_agent_name: str | None
    outbound_agent_name: str | None


@dataclass(frozen=True, slots=True)
class SipAccount:
    """Where a carrier is called, and as whom. `UNCHANGED` leaves a value as it is."""

    termination_uri: str | Unchanged = UNCHANGED
    username: str | Unchanged | None = UNCHANGED
    password: SecretStr | None = None
    """None leaves it as it is."""


class ByocNumbers:
    """A project's numbers, registered with their carriers.

    Args:
        database: The record.
        keys: The installation's keys, which protect the passwords.
        phone_numbers: The numbers themselves.
        default_allowed_addresses: From where calls may come on a connection that is made here.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        phone_numbers: PhoneNumbers,
        default_allowed_addresses: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._keys = keys
        self._phone_numbers = phone_numbers
        self._default_allowed_addresses = tuple(default_allowed_addresses)

    async def register(
        self,
        principal: Principal,
        number: str,
        account: SipAccount,
        *,
        name: str | None = None,
        inbound_agent_id: uuid.UUID | None = None,
        outbound_agent_id: uuid.UUID | None = None,
        new_id: uuid.UUID | None = None,
    ) -> ByocNumber:
        """Put a number on record, on the connection of its carrier's account.

        Without such a connection the project's one of this carrier that has no account yet is
        taken, and without that one a new one is made. Registered again under the same `new_id`,
        it is the number that is there.

        Raises:
            InvalidField: The number, the URI or a credential is wrong, or a connection would have
                to be made and the installation does not say from where it may be called.
            NotFound: The project has no such agent.
            AgentNotVoiceReady: An agent is text-only.
            Conflict: The number is on record already, whosever it is.
        """
        uri = _checked_uri(account.termination_uri)
        username = None if isinstance(account.username, Unchanged) else account.username
        _check_credentials(username, account.password)
        provider = _provider_of(uri)
        async with self._database.transaction() as db:
            for agent_id in (inbound_agent_id, outbound_agent_id):
                if agent_id is not None:
                    await require_voice_agent(db, principal, agent_id)
            connection_id = await self._ensure_connection(db, principal, uri, username, name)
            await self._seal(db, principal, connection_id, account.password)
        created = await self._phone_numbers.create(
            principal,
            provider=provider,
            number=number,
            agent_id=inbound_agent_id,
            outbound_agent_id=outbound_agent_id,
            connection_id=connection_id,
            new_id=new_id,
        )
        return (await self._described(principal, [created]))[0]

    async def list(self, principal: Principal, page: PageRequest) -> Page[ByocNumber]:
        """Return a page of the project's numbers, newest first, however they were created."""
        found = await self._phone_numbers.list(principal, page)
        return Page(
            await self._described(principal, found.items),
            found.page,
            found.limit,
            found.total,
        )

    async def get_by_number(self, principal: Principal, number: str) -> PhoneNumber:
        """Return a number by itself.

        Raises:
            InvalidField: It is not E.164.
            NotFound: The project has no such number.
        """
        found = await self._phone_numbers.list(principal, PageRequest(limit=1), numbers=[number])
        if not found.items:
            raise NotFound("phone number", number)
        return found.items[0]

    async def change(
        self,
        principal: Principal,
        number_id: uuid.UUID,
        account: SipAccount | None = None,
        *,
        inbound_agent_id: AgentChange = UNCHANGED,
        outbound_agent_id: AgentChange = UNCHANGED,
    ) -> ByocNumber:
        """Change a number's carrier account, its agents, or both.

        A new password is that of every number of the account. Another account takes this number
        to that account's connection.

        Raises:
            InvalidField: As for `register`.
            NotFound: The project has no such number or agent.
            AgentNotVoiceReady: An agent is text-only.
        """
        number = await self._phone_numbers.get(principal, number_id)
        if account is not None:
            connection_id = await self._change_account(principal, number, account)
            if connection_id != number.connection_id:
                number = await self._phone_numbers.move(principal, number_id, connection_id)
        if inbound_agent_id is not UNCHANGED or outbound_agent_id is not UNCHANGED:
            number = await self._phone_numbers.assign(
                principal,
                number_id,
                inbound_agent_id=inbound_agent_id,
                outbound_agent_id=outbound_agent_id,
            )
        return (await self._described(principal, [number]))[0]

    async def _change_account(
        self, principal: Principal, number: PhoneNumber, account: SipAccount
    ) -> uuid.UUID:
        """Store the account and return the connection on which its numbers come in."""
        async with self._database.transaction() as db:
            all_of_project = await terminations.list_terminations(db, principal.project_id)
            current = next(
                each for each in all_of_project if each.connection_id == number.connection_id
            )
            given = account.termination_uri
            uri = _checked_uri(current.uri if isinstance(given, Unchanged) else given)
            username = (
                current.username if isinstance(account.username, Unchanged) else account.username
            )
            _check_credentials(username, account.password)
            same_carrier = _provider_of(uri) == number.provider
            if (uri, username) == (current.uri, current.username):
                connection_id = current.connection_id
            elif current.numbers == 1 and same_carrier and not _find(all_of_project, uri, username):
                connection_id = current.connection_id
                await _set_account(db, principal, current, uri, username)
            else:
                connection_id = await self._ensure_connection(db, principal, uri, username, None)
            await self._seal(db, principal, connection_id, account.password)
        return connection_id

    async def _ensure_connection(
        self,
        db: WriteSession,
        principal: Principal,
        uri: str,
        username: str | None,
        name: str | None,
    ) -> uuid.UUID:
        provider = _provider_of(uri)
        # Two first numbers of a carrier at once must not make two connections.
        await carrier_connections.list_of_provider(db, principal.project_id, provider)
        existing = await terminations.list_terminations(db, principal.project_id, provider)
        found = _find(existing, uri, username)
        if found is not None:
            return found.connection_id
        without_account = [each for each in existing if each.uri is None]
        if len(without_account) == 1:
            chosen = without_account[0]
        else:
            made = await self._new_connection(db, principal, provider, name or uri)
            chosen = Termination(made, None, None, 0)
        await _set_account(db, principal, chosen, uri, username)
        return chosen.connection_id

    async def _new_connection(
        self, db: WriteSession, principal: Principal, provider: str, name: str
    ) -> uuid.UUID:
        if not self._default_allowed_addresses:
            raise InvalidField(
                "termination_uri",
                f"From where {provider} may call in is not known here; create a carrier "
                "connection with its addresses first.",
            )
        created = await create_implied_connection(
            db,
            principal,
            provider=provider,
            name=name,
            allowed_addresses=self._default_allowed_addresses,
        )
        return created.id

    async def _seal(
        self,
        db: WriteSession,
        principal: Principal,
        connection_id: uuid.UUID,
        password: SecretStr | None,
    ) -> None:
        if password is None:
            return
        await store_account_password(db, self._keys, principal.project_id, connection_id, password)
        await record_account_change(
            db, principal, connection_id, {"password": "old"}, {"password": "new"}
        )

    async def _described(
        self, principal: Principal, numbers: Sequence[PhoneNumber]
    ) -> tuple[ByocNumber, ...]:
        ids = {
            agent_id
            for number in numbers
            for agent_id in (number.inbound_agent_id, number.outbound_agent_id)
            if agent_id is not None
        }
        async with self._database.reading() as db:
            known = await terminations.list_terminations(db, principal.project_id)
            names = await terminations.agent_names(db, principal.project_id, ids)
        uris = {each.connection_id: each.uri for each in known}
        return tuple(
            ByocNumber(
                number=number,
                termination_uri=uris.get(number.connection_id),
                inbound_agent_name=names.get(number.inbound_agent_id or uuid.UUID(int=0)),
                outbound_agent_name=names.get(number.outbound_agent_id or uuid.UUID(int=0)),
            )
            for number in numbers
        )


async def _set_account(
    db: WriteSession, principal: Principal, current: Termination, uri: str, username: str | None
) -> None:
    await terminations.set_termination(db, current.connection_id, uri=uri, username=username)
    before = {"termination_uri": current.uri, "termination_username": current.username}
    after = {"termination_uri": uri, "termination_username": username}
    await record_account_change(db, principal, current.connection_id, before, after)


def _find(known: Sequence[Termination], uri: str, username: str | None) -> Termination | None:
    return next((each for each in known if (each.uri, each.username) == (uri, username)), None)


def _provider_of(uri: str) -> str:
    host = uri.partition(":")[0]
    for ending, provider in _CARRIERS.items():
        if host == ending or host.endswith(f".{ending}"):
            return provider
    return "custom"


def _checked_uri(text: str | Unchanged | None) -> str:
    """Return a termination URI as `host[:port]`, in lower case."""
    if not isinstance(text, str):
        raise InvalidField("termination_uri", "terminationUri is required.")
    wrong = InvalidField(
        "termination_uri",
        "terminationUri must be the carrier's host, such as myaccount.pstn.twilio.com.",
    )
    return checked_host(text, wrong, dotted=True)


def _check_credentials(username: str | None, password: SecretStr | None) -> None:
    check_credentials(username, password, field_prefix="sip_")
