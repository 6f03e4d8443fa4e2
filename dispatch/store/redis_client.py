"""The way to Redis: one client per process, and one place where its errors are translated."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import DriverInfo
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import BusyLoadingError, ReadOnlyError, RedisError
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


def connect_redis(url: str, *, max_connections: int = 100) -> RedisClient:
    """Return a client that connects on first use; close it with `aclose()`.

    Every answer is text. A command whose connection broke or timed out is sent once more: all our
    scripts may be repeated, because they decide by what Redis holds and not by what they assume.

    Args:
        url: `redis://…` or `rediss://…`.
        max_connections: Connections of this process at most.
    """
    # A burst waits its turn for a connection; an ordinary pool would refuse it.
    pool = BlockingConnectionPool.from_url(
        url,
        timeout=TIMEOUT_S,
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
        if str(exc).startswith(("OOM", "MISCONF", "NOREPLICAS", "CLUSTERDOWN")):
            raise StoreUnavailable("Redis cannot take writes now.") from exc
        raise
