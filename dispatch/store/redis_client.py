"""The way to Redis: one client per process, and one place where its errors are translated."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import DriverInfo
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    MaxConnectionsError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

from dispatch.errors import StoreUnavailable

RedisClient = Redis
"""The type by which the rest of `dispatch` names a client without importing the library."""

TIMEOUT_S = 2.0
"""Longest wait for a connection or one answer; in health an answer takes well under 1 ms. A
blocking command (BLPOP, XREADGROUP) must therefore block for less than this."""

_DRIVER = DriverInfo()
"""How connections name their library; each new one would look its version up on disk (5 ms)."""

_RETRIES = 1
_RETRY_PAUSE_S = 0.05

_IS_REPLICA = re.compile(r"(^|: -)READONLY ")
_REFUSES = re.compile(r"(^|: -)(OOM|MISCONF|NOREPLICAS|READONLY) ")
"""What a Redis says that takes no writes. To a script Redis 6 says it within another error:
`Error running script (call to f_…): @user_script:1: @user_script: 1: -OOM command not allowed`."""


class _DirectConnection(Connection):
    """A connection that writes a command at once.

    The library's own makes a task for that, to limit its time (`asyncio.wait_for`, before Python
    3.12), which takes longer than all else of sending. What the socket takes at once needs none.
    """

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - as the library has it
    ) -> None:
        """Send a command; `ConnectionError` or `TimeoutError` of the library when it cannot be."""
        if self._writer is not None and isinstance(command, list):
            if check_health:
                await self.check_health()  # type: ignore[no-untyped-call]
            try:
                self._writer.writelines(command)
            except BaseException:
                await self.disconnect(nowait=True)
                raise
            if self._writer.transport.get_write_buffer_size() == 0:
                return
            # The library waits for the rest, and for no longer than it may.
            command, check_health = [], False
        await super().send_packed_command(command, check_health)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read an answer as the library does; leave a server that has become a replica.

        After a failover the address leads to another one, but a connection to the old may live on.
        """
        try:
            return await super().read_response(*args, **options)
        except RedisError as exc:
            if isinstance(exc, ReadOnlyError) or _IS_REPLICA.search(str(exc)):
                await self.disconnect(nowait=True)
            raise


class _PatientPool(ConnectionPool):
    """A pool at which a burst waits its turn; an ordinary one would refuse it.

    `BlockingConnectionPool` does so, too, but takes a lock and a timer for each command, though
    hardly any has to wait: a third of what the client does for a command (measured: 124 and 83 us).
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._freed = asyncio.Event()

    async def get_connection(
        self,
        command_name: Any = None,  # noqa: ARG002 - the library's own no longer looks at it
        *keys: Any,  # noqa: ARG002
        **options: Any,  # noqa: ARG002
    ) -> Any:
        """Return a connection, as soon as there is one; `ConnectionError` after `TIMEOUT_S`."""
        try:
            return await super().get_connection()  # type: ignore[no-untyped-call]
        except MaxConnectionsError:
            pass
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while True:
                    self._freed.clear()
                    await self._freed.wait()
                    try:
                        return await super().get_connection()  # type: ignore[no-untyped-call]
                    except MaxConnectionsError:
                        continue
        except TimeoutError as exc:
            raise RedisConnectionError("No connection available.") from exc

    async def release(self, connection: Any) -> None:
        """Give a connection back, and whoever waits a chance of it."""
        try:
            await super().release(connection)
        finally:
            self._freed.set()


def connect_redis(url: str, *, max_connections: int = 100) -> RedisClient:
    """Return a client that connects on first use; close it with `aclose()`.

    Every answer is text. A command whose connection broke or timed out is sent once more: all our
    scripts may be repeated, because they decide by what Redis holds and not by what they assume.

    Args:
        url: `redis://…` or `rediss://…`.
        max_connections: Connections of this process at most.
    """
    pool = _PatientPool.from_url(
        url,
        # A `rediss://` address has its own.
        connection_class=_DirectConnection,
        decode_responses=True,
        socket_connect_timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        socket_keepalive=True,
        health_check_interval=15,
        max_connections=max_connections,
        retry=Retry(ConstantBackoff(_RETRY_PAUSE_S), _RETRIES),
        retry_on_error=[RedisConnectionError, RedisTimeout],
        driver_info=_DRIVER,
    )
    return Redis.from_pool(pool)


@contextmanager
def translate_redis_errors() -> Iterator[None]:
    """Turn an unreachable, loading or read-only Redis into `StoreUnavailable`.

    Whether the command was executed is unknown after a lost connection, which is why everything
    that changes state is safe to repeat.

    Raises:
        StoreUnavailable: Redis could not be reached or cannot take writes now.
    """
    try:
        yield
    except (RedisConnectionError, RedisTimeout, BusyLoadingError, ReadOnlyError, OSError) as exc:
        raise StoreUnavailable("Redis did not answer.") from exc
    except RedisError as exc:
        # With a full memory or a failing disk Redis answers and refuses: nothing was changed.
        if isinstance(exc, OutOfMemoryError | ClusterDownError) or _REFUSES.search(str(exc)):
            raise StoreUnavailable("Redis cannot take writes now.") from exc
        raise
