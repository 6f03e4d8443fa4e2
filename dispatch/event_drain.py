"""Writes what happened in calls from the Redis stream into Postgres, exactly once."""

from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient


class EventDrain:
    """The one writer of call records, transcripts and call ledger entries.

    Args:
        redis: Holds the stream.
        database: Receives the record.
        consumer: Names this process in the consumer group.
    """

    def __init__(
        self, redis: RedisClient, database: Database, *, consumer: str = "dispatch"
    ) -> None:
        self._redis = redis
        self._database = database
        self._consumer = consumer

    async def run_once(self) -> int:
        """Write one batch and return how many events were taken off the stream.

        Waits up to a second for events when there are none.

        Raises:
            StoreUnavailable: Redis or Postgres could not be reached; nothing is lost, and the
                same events are written by a later run.
        """
        raise NotImplementedError
