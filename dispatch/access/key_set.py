"""The identity provider's public keys (RFC 7517), fetched when needed and no more often."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import jwt

from dispatch.errors import StoreUnavailable

logger = logging.getLogger(__name__)

REFETCH_AFTER_S: Final = 30.0
"""Pause between two fetches at least, so that tokens with made-up key ids cost nobody anything."""
LIFE_S: Final = 600.0
"""How long keys are believed, so that one the provider took back goes out of use."""
_TIMEOUT_S: Final = 5.0
_LARGEST_BYTES: Final = 1_000_000


class KeySet:
    """Keys by their id. Only public keys for signatures count, whatever else is in the set.

    Args:
        source: An https (or http) address, or the path of a file.
        clock: Seconds that only go forward.
    """

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._tried_at: float | None = None
        self._fetched_at: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key of this id, or None when the provider has none.

        A key that is not known makes the set be fetched again, at most every 30 s; a provider
        that is gone for a while is not missed as long as its keys are the same.

        Raises:
            StoreUnavailable: No keys could be had since this process began.
        """
        if self._is_outdated() or (key_id not in self._keys and self._may_fetch()):
            async with self._fetching:
                # Whoever waited for somebody else's fetch finds it done.
                if self._may_fetch():
                    await self._fetch()
        if self._fetched_at is None:
            raise StoreUnavailable("The identity provider's keys could not be read.")
        return self._keys.get(key_id)

    def _is_outdated(self) -> bool:
        fetched_at = self._fetched_at
        return (fetched_at is None or self._clock() - fetched_at > LIFE_S) and self._may_fetch()

    def _may_fetch(self) -> bool:
        return self._tried_at is None or self._clock() - self._tried_at >= REFETCH_AFTER_S

    async def _fetch(self) -> None:
        try:
            self._keys = _usable(await self._read())
        except (OSError, ValueError, httpx.HTTPError) as exc:
            logger.warning(
                "The identity provider's keys could not be read.",
                extra={"error": type(exc).__name__},
            )
        else:
            self._fetched_at = self._clock()
        finally:
            # Not sooner: whoever comes while the keys are on their way waits for them.
            self._tried_at = self._clock()

    async def _read(self) -> Any:
        if not self._source.startswith(("https://", "http://")):
            text = await asyncio.to_thread(Path(self._source).read_bytes)
            return json.loads(text)
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
            answer = await http.get(self._source, headers={"accept": "application/json"})
        answer.raise_for_status()
        if len(answer.content) > _LARGEST_BYTES:
            raise ValueError("The key set is too long.")
        return answer.json()


def _usable(document: Any) -> dict[str, jwt.PyJWK]:
    """Return the public signature keys of a set.

    Raises:
        ValueError: It is no key set.
    """
    try:
        entries = list(document["keys"])
    except (TypeError, KeyError) as exc:
        raise ValueError("This is no key set.") from exc
    usable = {}
    for entry in entries:
        # A shared secret in a public document is a secret no more (and the way of the attack that
        # signs with a public key as if it were one).
        if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        if entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid"), str):
            continue
        try:
            usable[entry["kid"]] = jwt.PyJWK.from_dict(entry)
        except jwt.PyJWTError:
            logger.warning("A key of the identity provider is not understood.")
    return usable
