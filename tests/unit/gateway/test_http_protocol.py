"""Answers leave in one piece, in order, and none is kept back."""

import asyncio
from typing import cast

import pytest

from gateway.http_protocol import JoiningTransport

pytestmark = pytest.mark.unit


class Wire:
    """Stands for the transport of a connection, and keeps what was written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def transport(wire: Wire) -> JoiningTransport:
    return JoiningTransport(cast("asyncio.Transport", wire), asyncio.get_running_loop())


async def test_the_head_and_the_body_of_an_answer_leave_in_one_write(
    wire: Wire, transport: JoiningTransport
) -> None:
    transport.write(b"head ")
    assert wire.written == []
    transport.write(b"body")
    assert wire.written == [b"head body"]
    await asyncio.sleep(0)
    assert wire.written == [b"head body"]


async def test_a_head_whose_body_is_not_there_yet_leaves_in_the_next_turn_of_the_loop(
    wire: Wire, transport: JoiningTransport
) -> None:
    transport.write(b"head")
    await asyncio.sleep(0)
    assert wire.written == [b"head"]


async def test_a_long_answer_is_never_held_back_by_more_than_one_part(
    wire: Wire, transport: JoiningTransport
) -> None:
    for part in (b"1", b"2", b"3", b"4", b"5"):
        transport.write(part)
    assert wire.written == [b"12", b"34"]
    await asyncio.sleep(0)
    assert wire.written == [b"12", b"34", b"5"]


async def test_what_is_held_is_sent_before_the_connection_is_closed(
    wire: Wire, transport: JoiningTransport
) -> None:
    transport.write(b"goodbye")
    transport.close()
    assert (wire.written, wire.closed) == ([b"goodbye"], True)
    await asyncio.sleep(0)
    assert wire.written == [b"goodbye"]


async def test_nothing_is_sent_to_a_client_who_has_gone(
    wire: Wire, transport: JoiningTransport
) -> None:
    transport.write(b"too late")
    wire.close()
    await asyncio.sleep(0)
    assert wire.written == []


async def test_all_else_is_asked_of_the_connection_itself(
    wire: Wire, transport: JoiningTransport
) -> None:
    assert not transport.is_closing()
    wire.close()
    assert transport.is_closing()
