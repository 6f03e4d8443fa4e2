"""Loads the Lua scripts beside this module and runs them.

A line `-- include: name` is replaced by the text of `scripts/_name.lua`, once per script: rules
that several scripts share (writing an event, settling a call) are written once. Each script begins
with a table `key` made from `redis_keys`, so that no key's name is written twice either.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from redis.exceptions import NoScriptError

from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient

_KEYS = {
    "access": redis_keys.access_version(""),
    "agent": redis_keys.agent(""),
    "balance": redis_keys.balance(""),
    "call": redis_keys.call(""),
    "calls_live": redis_keys.CALLS_LIVE,
    "calls_ringing": redis_keys.CALLS_RINGING,
    "command": redis_keys.command(""),
    "commands": redis_keys.commands("", "").removesuffix(":"),
    "events": redis_keys.EVENTS,
    "latest_revision": redis_keys.LATEST_REVISION,
    "leases_number": redis_keys.leases_number(""),
    "leases_organization": redis_keys.leases_organization(""),
    "outbound_live": redis_keys.outbound_live(""),
    "outbound_pace": redis_keys.outbound_pace(""),
    "reservation": redis_keys.reservation(""),
    "reservations": redis_keys.RESERVATIONS,
    "rate": redis_keys.rate(""),
    "route": redis_keys.route(""),
    "secrets": redis_keys.secrets(""),
    "seat": redis_keys.seat("", "").removesuffix(":"),
    "voice_session": redis_keys.voice_session(""),
    "worker": redis_keys.worker(""),
}
"""Keys, and prefixes of keys, as scripts name them."""

_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)


class LuaScripts:
    """The scripts, run by their SHA; Redis is given the text when it does not know it yet."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def run(
        self, name: str, keys: Sequence[str], args: Sequence[str | bytes | int | float]
    ) -> Any:
        """Run a script atomically and return its answer.

        Scripts compute some keys themselves (a number's route names its organisation), so Redis
        Cluster is not supported; LiveKit, which shares the server, needs none either.

        Raises:
            RedisError: As redis-py raises it; callers translate.
        """
        # Not by redis-py's own `Script`, which takes half as long again for a script of ours.
        text, digest = script(name)
        try:
            return await self._redis.evalsha(digest, len(keys), *keys, *args)
        except NoScriptError:
            await self._redis.script_load(text)
            return await self._redis.evalsha(digest, len(keys), *keys, *args)


def load_scripts() -> None:
    """Read every script now instead of on its first use."""
    for file in files("dispatch.store").joinpath("scripts").iterdir():
        if file.name.endswith(".lua") and not file.name.startswith("_"):
            script(file.name.removesuffix(".lua"))


class Script(NamedTuple):
    """A script's text with its keys and includes put in, and the SHA-1 by which Redis finds it."""

    text: str
    digest: str


@cache
def script(name: str) -> Script:
    """Read a script, once per process."""
    entries = (f"  {field} = '{prefix}'," for field, prefix in _KEYS.items())
    text = "\n".join(["local key = {", *entries, "}", "", _expand(name, set())])
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def _expand(name: str, included: set[str]) -> str:
    text = files("dispatch.store").joinpath("scripts", f"{name}.lua").read_text("utf-8")

    def fragment(match: re.Match[str]) -> str:
        fragment_name = "_" + match.group(1)
        if fragment_name in included:
            return ""
        included.add(fragment_name)
        return _expand(fragment_name, included).rstrip("\n")

    return _INCLUDE.sub(fragment, text)
