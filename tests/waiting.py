"""Waiting for what nothing announces."""

import asyncio
from collections.abc import Callable
from typing import Final

_PATIENCE_S: Final = 30.0
"""Much longer than anything takes; a machine may be slow."""

_PAUSE_S: Final = 0.002


async def until(is_true: Callable[[], bool]) -> None:
    """Return once a condition holds, which other tasks bring about.

    Raises:
        TimeoutError: It never did.
    """
    async with asyncio.timeout(_PATIENCE_S):
        while not is_true():
            await asyncio.sleep(_PAUSE_S)
