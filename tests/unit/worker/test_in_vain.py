"""Work is given up once it is in vain, and only then."""

import asyncio

import pytest

from worker.in_vain import unless

pytestmark = pytest.mark.unit


async def answer() -> str:
    return "done"


async def test_what_is_not_in_vain_is_done() -> None:
    assert await unless(asyncio.Event(), answer(), otherwise="given up") == "done"


async def test_what_fails_before_it_is_in_vain_fails() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await unless(asyncio.Event(), fail(), otherwise=None)


async def test_what_is_in_vain_is_cancelled_and_over_when_it_is_given_up() -> None:
    in_vain, begun, is_over = asyncio.Event(), asyncio.Event(), False

    async def work() -> None:
        nonlocal is_over
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            is_over = True

    async def give_up() -> None:
        await begun.wait()
        in_vain.set()

    answer, _ = await asyncio.gather(unless(in_vain, work(), otherwise="given up"), give_up())
    assert answer == "given up"
    assert is_over
