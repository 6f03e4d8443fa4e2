"""The way to Postgres: one engine per process, one transaction per use-case step."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, NewType

import orjson
from psycopg import AsyncCursor
from psycopg.abc import Params, Query
from psycopg.errors import FeatureNotSupported, ReadOnlySqlTransaction
from sqlalchemy import Row, Select, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from dispatch.errors import StoreUnavailable

ReadSession = NewType("ReadSession", AsyncSession)
"""A read-only transaction on one snapshot: Postgres itself refuses a write in it."""

WriteSession = NewType("WriteSession", ReadSession)
"""A transaction that is committed when its block ends; it may read, too."""

CONNECT_TIMEOUT_S = 3
POOL_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 10_000
"""No query of ours takes this long; one that does waits for a lock that will not come."""

_LOST_MACHINE = {
    "tcp_user_timeout": 20_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
"""A machine that is gone resets no connection. One that confirmed nothing for 20 s is given up;
else Linux would send again for a quarter of an hour, and wait two hours for an answer.

Source: libpq, "Parameter Key Words"; tcp(7), tcp_retries2 and tcp_keepalive_time.
"""


class Database:
    """Postgres, reached through a pool of connections.

    Args:
        url: SQLAlchemy URL, `postgresql+psycopg://…`.
        pool_size: Connections of either pool at most; they stay open once they were needed.
        application_name: Shown by `pg_stat_activity`, to tell the processes apart.
    """

    def __init__(
        self, url: str, *, pool_size: int = 20, application_name: str = "dialplane"
    ) -> None:
        create = partial(
            create_async_engine,
            url,
            pool_size=pool_size,
            # A connection beyond the pool would be opened for one request and thrown away, which
            # takes ten times as long as the request; waiting for another's takes a fraction.
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            # Parameters are phone numbers and spoken words: never part of an error's text.
            hide_parameters=True,
            # Postgres writes a float of 1e25 as 26 digits. What orjson could read and store must
            # come back as orjson would read it, or nobody could write it again.
            json_deserializer=orjson.loads,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                **_LOST_MACHINE,
                "cursor_factory": _Cursor,
                "application_name": application_name,
                "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}",
            },
        )
        # A restarted Postgres must cost a reconnect, not one failed request per connection.
        self._engine = create(pool_pre_ping=True)
        event.listen(self._engine.sync_engine, "handle_error", _leave_a_standby)
        # Connects at its first use only. Asking whether a connection is alive would double the
        # round trips of a single statement, which can as well be asked again.
        self._glancing_engine = create(isolation_level="AUTOCOMMIT")
        self._reading_engine = self._engine.execution_options(
            # All reads of one block see the same moment, and none of them can write.
            isolation_level="REPEATABLE READ",
            postgresql_readonly=True,
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[WriteSession]:
        """Open a transaction that is committed at the end of the block, or rolled back on an error.

        Raises:
            StoreUnavailable: Postgres could not be reached or did not answer in time. After a
                connection lost during the commit itself, whether it happened is unknown.
        """
        with _translated_errors():
            async with AsyncSession(self._engine, expire_on_commit=False) as db, db.begin():
                yield WriteSession(ReadSession(db))

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[ReadSession]:
        """Open a read-only transaction.

        Raises:
            StoreUnavailable: Postgres could not be reached or did not answer in time.
        """
        with _translated_errors():
            async with AsyncSession(self._reading_engine, expire_on_commit=False) as db:
                yield ReadSession(db)

    async def glance(
        self, query: Select[*tuple[Any, ...]], parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """Return the rows of a single query: one round trip, where `reading` takes four.

        Raises:
            StoreUnavailable: Postgres could not be reached or did not answer in time.
        """
        with _translated_errors():
            try:
                return await self._fetch(query, parameters or {})
            except DBAPIError as exc:
                if not exc.connection_invalidated:
                    raise
            # The connection was of a Postgres that is no more, and so were all others of the pool,
            # which SQLAlchemy has thrown away.
            return await self._fetch(query, parameters or {})

    async def _fetch(
        self, query: Select[*tuple[Any, ...]], parameters: Mapping[str, Any]
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        async with self._glancing_engine.connect() as connection:
            return (await connection.execute(query, parameters)).all()

    async def aclose(self) -> None:
        """Close every connection of the pools."""
        await self._engine.dispose()
        await self._glancing_engine.dispose()


class _Cursor(AsyncCursor[Any]):
    """A cursor that ends as cancelled whenever it is cancelled.

    psycopg (3.3.9) sends many rows in pipeline mode, and lets other tasks run right after it has
    switched to that. Cancelled there, its clean-up fails an assertion, and that takes the place of
    the cancellation: whoever was cancelled goes on as if something had broken. And SQLAlchemy,
    which throws away a connection whose work was cancelled, keeps one that is busy for ever.
    """

    async def executemany(
        self, query: Query, params_seq: Iterable[Params], *, returning: bool = False
    ) -> None:
        """Execute a statement with each set of parameters."""
        try:
            await super().executemany(query, params_seq, returning=returning)
        except AssertionError as exc:
            if isinstance(exc.__context__, asyncio.CancelledError):
                raise exc.__context__ from None
            raise


def _leave_a_standby(context: ExceptionContext) -> None:
    """Give up the connections to a Postgres that became a standby, as after a failover.

    It answers, and goes on refusing writes, for as long as it is asked; a new connection finds the
    Postgres that took over.
    """
    connection, error = context.connection, context.original_exception
    # What a standby says depends on whether the connection has been reading before.
    refuses = isinstance(error, ReadOnlySqlTransaction) or (
        isinstance(error, FeatureNotSupported) and "during recovery" in str(error)
    )
    is_reading = connection and connection.get_execution_options().get("postgresql_readonly")
    if refuses and not is_reading:
        context.is_disconnect = True


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn a lost or refused connection into `StoreUnavailable`; let everything else through."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as exc:
        raise StoreUnavailable("Postgres did not answer.") from exc
    except (InternalError, NotSupportedError) as exc:
        if exc.connection_invalidated:
            raise StoreUnavailable("Postgres takes no writes now.") from exc
        raise
