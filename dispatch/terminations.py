"""Terminations: where calls to a carrier go on one of a project's connections, and how many."""

import uuid
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
from dispatch.errors import InvalidField, NotFound
from dispatch.routes import Routes
from dispatch.secrets.envelope import KeyRing
from dispatch.store.engine import Database
from dispatch.store.repositories import carrier_connections, outbound_calls, terminations

MOST_A_SECOND: Final = 100
MOST_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class TerminationDraft:
    """How a carrier is to be called."""

    uri: str
    """`host[:port]`, also with `sip:` before it."""
    username: str | None = None
    password: SecretStr | None = None
    """None keeps the one there is, if the user name stays."""
    calls_per_second: int | None = None
    """None for the installation's own limit; likewise the next."""
    max_outbound_calls: int | None = None


@dataclass(frozen=True, slots=True)
class SetTermination:
    """How a carrier is called; its password never leaves the store."""

    uri: str
    username: str | None
    calls_per_second: int | None
    max_outbound_calls: int | None


class Terminations:
    """The way out on carrier connections; the next call uses what is set here.

    Args:
        database: The record.
        routes: Where jobs read it.
        keys: The installation's keys, which protect the passwords.
    """

    def __init__(self, database: Database, routes: Routes, keys: KeyRing) -> None:
        self._database = database
        self._routes = routes
        self._keys = keys

    async def set(
        self, principal: Principal, connection_id: uuid.UUID, draft: TerminationDraft
    ) -> SetTermination:
        """Say where calls on a connection go; replaces what was said before.

        Raises:
            InvalidField: A value is wrong.
            NotFound: The project has no such connection.
            StoreUnavailable: A store could not be reached; calls may know already.
        """
        wanted = _checked(draft)
        async with self._database.transaction() as db:
            if not await carrier_connections.find_connection(
                db, principal.project_id, connection_id, for_update=True
            ):
                raise NotFound("carrier connection", connection_id)
            was = await terminations.find_termination(db, connection_id)
            await terminations.set_termination(
                db, connection_id, uri=wanted.uri, username=wanted.username
            )
            await terminations.set_limits(
                db, connection_id, wanted.calls_per_second, wanted.max_outbound_calls
            )
            if draft.password is not None:
                await store_account_password(
                    db, self._keys, principal.project_id, connection_id, draft.password
                )
            elif was is None or was[1] != wanted.username:
                await terminations.forget_termination_password(db, connection_id)
            await record_account_change(
                db,
                principal,
                connection_id,
                before={
                    "termination_uri": was[0] if was else None,
                    "termination_username": was[1] if was else None,
                },
                after={
                    "termination_uri": wanted.uri,
                    "termination_username": wanted.username,
                    "calls_per_second": wanted.calls_per_second,
                    "max_outbound_calls": wanted.max_outbound_calls,
                },
            )
            trunk = await outbound_calls.find_trunk(db, connection_id)
        if trunk is not None:
            await self._routes.publish_trunk(trunk)
        return wanted


def _checked(draft: TerminationDraft) -> SetTermination:
    """Return what is wanted if all of it is as it should be."""
    wrong = InvalidField("uri", "uri must be the carrier's host, such as example.pstn.twilio.com.")
    host = checked_host(draft.uri, wrong)
    check_credentials(draft.username, draft.password)
    for name, value, most in (
        ("calls_per_second", draft.calls_per_second, MOST_A_SECOND),
        ("max_outbound_calls", draft.max_outbound_calls, MOST_AT_ONCE),
    ):
        if value is not None and not 1 <= value <= most:
            raise InvalidField(name, f"From 1 to {most}.")
    return SetTermination(host, draft.username, draft.calls_per_second, draft.max_outbound_calls)
