"""The queues of what is said and which keys are pressed."""

import asyncio

import numpy as np
import pytest

from telephony.dtmf import DtmfPacing, plan_dtmf
from telephony.softphone.dtmf_sender import DtmfSender, OutgoingEvent
from telephony.softphone.playback import PlaybackQueue

pytestmark = pytest.mark.unit


def ramp(start: int, length: int) -> np.ndarray:
    return np.arange(start, start + length, dtype=np.int16)


async def test_pieces_follow_each_other_without_a_gap() -> None:
    queue = PlaybackQueue()
    first = asyncio.create_task(queue.play(ramp(1, 100)))
    second = asyncio.create_task(queue.play(ramp(101, 100)))
    await asyncio.sleep(0)
    frames = [queue.next_frame(1.0), queue.next_frame(1.02), queue.next_frame(1.04)]
    assert frames[0] is not None
    assert frames[1] is not None
    assert np.concatenate(frames[:2])[:200].tolist() == list(range(1, 201))
    assert not frames[1][40:].any()
    assert frames[2] is None
    assert (await first).ended_s == pytest.approx(1.0 + 100 / 8000)
    assert (await second).started_s == 1.0
    assert (await second).is_complete


async def test_stopping_ends_every_piece_where_it_is() -> None:
    queue = PlaybackQueue()
    begun = asyncio.create_task(queue.play(ramp(0, 1000)))
    waiting = asyncio.create_task(queue.play(ramp(0, 1000)))
    await asyncio.sleep(0)
    queue.next_frame(1.0)
    queue.stop()
    assert queue.next_frame(1.02) is None
    assert (await begun).started_s == 1.0
    assert not (await begun).is_complete
    assert (await waiting).started_s is None


async def test_a_cancelled_piece_is_not_said() -> None:
    queue = PlaybackQueue()
    unwanted = asyncio.create_task(queue.play(ramp(0, 1000)))
    await asyncio.sleep(0)
    unwanted.cancel()
    await asyncio.wait({unwanted})
    assert queue.next_frame(1.0) is None


def slots(sender: DtmfSender, count: int) -> list[OutgoingEvent | None]:
    return [sender.next_event(1000 + 160 * index) for index in range(count)]


async def test_a_key_keeps_its_timestamp_and_only_its_first_packet_is_marked() -> None:
    sender = DtmfSender()
    pressing = asyncio.create_task(sender.press(plan_dtmf("12", DtmfPacing(tone_ms=60, gap_ms=40))))
    await asyncio.sleep(0)
    # Two growing packets and three ends, two slots of gap, and the same again.
    events = slots(sender, 15)
    assert [event is not None for event in events] == ([True] * 5 + [False] * 2) * 2 + [False]
    first, second = events[:5], events[7:12]
    assert {event.timestamp for event in first if event} == {1000}
    assert {event.timestamp for event in second if event} == {1000 + 7 * 160}
    assert [event.marker for event in first if event] == [True] + [False] * 4
    assert await pressing


async def test_a_pause_is_silence() -> None:
    sender = DtmfSender()
    pressing = asyncio.create_task(sender.press(plan_dtmf("w1")))
    await asyncio.sleep(0)
    assert slots(sender, 26)[:25] == [None] * 25
    pressing.cancel()
    await asyncio.wait({pressing})


async def test_stopping_tells_who_presses_keys() -> None:
    sender = DtmfSender()
    pressing = asyncio.create_task(sender.press(plan_dtmf("1")))
    await asyncio.sleep(0)
    sender.next_event(0)
    sender.stop()
    assert not await pressing
    assert sender.next_event(160) is None
