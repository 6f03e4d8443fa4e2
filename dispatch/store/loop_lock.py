"""One Postgres advisory lock per loop, so that of any number of processes one runs it."""

import asyncio
import hashlib
from types import TracebackType
from typing import Any, Self

import psycopg
from sqlalchemy.engine import make_url

from dispatch.errors import StoreUnavailable
from dispatch.store.engine import CONNECT_TIMEOUT_S


class LoopLock:
    """A lock held by a connection of its own: when the process dies, Postgres frees it.

    Args:
        database_url: SQLAlchemy URL, `postgresql+psycopg://…`.
        name: Which loop, within which installation.
    """

    def __init__(self, database_url: str, name: str) -> None:
        self._conninfo = make_url(database_url).set(drivername="postgresql")
        self._key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._held = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._disconnect()

    async def hold(self) -> bool:
        """Take the lock, or check that it is still ours; whether we hold it.

        Raises:
            StoreUnavailable: Postgres did not answer, so the lock is lost.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._take_or_check(await self._connected())
        except (psycopg.Error, TimeoutError) as exc:
            await self._disconnect()
            raise StoreUnavailable("Postgres did not answer.") from exc
        return self._held

    async def _take_or_check(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # A standby gives locks, too, beside the primary's: after a failover two processes, of which
        # one has stayed with the old primary, would both hold one.
        cursor = await connection.execute(
            "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN false"
            " WHEN %s THEN true ELSE pg_try_advisory_lock(%s) END",
            [self._held, self._key],
        )
        is_standby, self._held = await cursor.fetchone() or (True, False)
        if is_standby:
            raise psycopg.OperationalError("This Postgres is a standby.")

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo.render_as_string(hide_password=False),
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="dialplane dispatch lock",
            )
        return self._connection

    async def _disconnect(self) -> None:
        self._held = False
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
