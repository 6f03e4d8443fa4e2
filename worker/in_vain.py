"""Work that is given up once it is in vain."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_Otherwise = TypeVar("_Otherwise")


async def unless(
    in_vain: asyncio.Event, work: Coroutine[Any, Any, _Result], otherwise: _Otherwise
) -> _Result | _Otherwise:
    """Return what work returns, or `otherwise` if it is in vain before it is done.

    What is given up is cancelled and waited for, as it is when the caller of this is cancelled.
    What work raises is raised.
    """
    doing = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(in_vain.wait())
    either: tuple[asyncio.Future[Any], ...] = (doing, waiting)
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else otherwise
    finally:
        for one in either:
            one.cancel()
        await asyncio.gather(*either, return_exceptions=True)
