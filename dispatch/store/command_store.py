"""The scripts behind commands to live calls, as typed functions."""

import uuid
from dataclasses import dataclass
from typing import Final, Literal

from dispatch.store import redis_keys
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import RedisClient, translate_redis_errors

KEEP_S: Final = 86_400
"""How long a command is known: as long as an idempotency key, under which it may be repeated."""

MOST_WAITING: Final = 20

Lane = Literal["ordered", "urgent"]
"""Commands of one lane are taken in the order they came; urgent ones while others are at work."""

Queued = Literal["queued", "unknown", "ringing", "over", "full"]


@dataclass(frozen=True, slots=True)
class CommandSight:
    """Where a command stands."""

    state: str
    """`queued`, `running`, `withdrawn`, what it was finished as, or empty when it is unknown."""
    answer: str
    call_is_live: bool


class CommandStore:
    """One method per script. All raise `StoreUnavailable` when Redis cannot be reached."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._scripts = LuaScripts(redis)

    async def queue(
        self,
        command_id: uuid.UUID,
        call_id: uuid.UUID,
        project_id: uuid.UUID,
        name: str,
        arguments: str,
        lane: Lane,
    ) -> Queued:
        """Run the queue script."""
        ids = (str(command_id), str(call_id), str(project_id))
        args: list[str | int | float] = [*ids, name, arguments, lane, MOST_WAITING, KEEP_S]
        with translate_redis_errors():
            answer: Queued = await self._scripts.run("queue_command", [], args)
        return answer

    async def look(
        self, command_id: uuid.UUID, call_id: uuid.UUID, *, gives_up: bool
    ) -> CommandSight:
        """Run the look script."""
        ids = (str(command_id), str(call_id))
        with translate_redis_errors():
            state, answer, is_live = await self._scripts.run(
                "look_at_command", [], [*ids, int(gives_up)]
            )
        return CommandSight(state, answer, bool(is_live))

    async def pop(self, call_id: uuid.UUID, lane: Lane | None, wait_s: float) -> str | None:
        """Take the next command's id off its queue; None when none came.

        Args:
            call_id: The call.
            lane: From which lane; from any, urgent ones first, when not given.
            wait_s: How long to wait, under 2 s; 0 does not wait.
        """
        lanes: tuple[Lane, ...] = ("urgent", "ordered") if lane is None else (lane,)
        keys = [redis_keys.commands(each, call_id) for each in lanes]
        with translate_redis_errors():
            if not wait_s:
                found = await self._redis.lpop(keys[0])
            else:
                popped = await self._redis.blpop(keys, timeout=wait_s)
                found = None if popped is None else popped[1]
        return None if found is None else str(found)

    async def begin(self, command_id: str) -> tuple[str, str] | None:
        """Run the take script: name and arguments, or None when it is not to be carried out."""
        with translate_redis_errors():
            taken = await self._scripts.run("take_command", [], [command_id])
        return None if taken is None else (taken[0], taken[1])

    async def finish(self, command_id: str, state: str, answer: str) -> None:
        """Run the finish script."""
        with translate_redis_errors():
            await self._scripts.run("finish_command", [], [command_id, state, answer])
