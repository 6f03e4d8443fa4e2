"""The way to Postgres: one engine per process, one transaction per use-case step."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NewType

from sqlalchemy.exc import InterfaceError, OperationalError
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


class Database:
    """Postgres, reached through a pool of connections.

    Args:
        url: SQLAlchemy URL, `postgresql+psycopg://…`.
        pool_size: Connections kept open; as many again are opened under load.
        application_name: Shown by `pg_stat_activity`, to tell the processes apart.
    """

    def __init__(
        self, url: str, *, pool_size: int = 10, application_name: str = "dialplane"
    ) -> None:
        self._engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_TIMEOUT_S,
            # A restarted Postgres must cost a reconnect, not one failed request per connection.
            pool_pre_ping=True,
            # Parameters are phone numbers and spoken words: never part of an error's text.
            hide_parameters=True,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": application_name,
                "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}",
            },
        )
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

    async def aclose(self) -> None:
        """Close every connection of the pool."""
        await self._engine.dispose()


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn a lost or refused connection into `StoreUnavailable`; let everything else through."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as exc:
        raise StoreUnavailable("Postgres did not answer.") from exc
