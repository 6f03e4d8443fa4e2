"""The media stream of one call, met by a hand-made far end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
import pytest

from telephony.dtmf import plan_dtmf
from telephony.softphone.errors import DtmfNotSupported
from telephony.softphone.g711 import PCMU
from telephony.softphone.media import MediaStream
from telephony.softphone.media_socket import Endpoint
from telephony.softphone.rtp import RtpPacket, find_rtp_packet
from telephony.softphone.sdp import NegotiatedAudio

pytestmark = pytest.mark.unit

LOUD = PCMU.encode(np.full(160, 8000, dtype=np.int16))


@dataclass
class FarEnd:
    """A plain UDP socket on the other side."""

    media: MediaStream
    socket: socket.socket

    @property
    def endpoint(self) -> Endpoint:
        return self.socket.getsockname()

    def agree(self, *, may_send: bool = True, dtmf: int | None = 101) -> None:
        self.media.use(
            NegotiatedAudio(*self.endpoint, PCMU, dtmf, may_send=may_send, may_receive=True)
        )

    def send(self, sequence: int, *, ssrc: int = 1) -> None:
        packet = RtpPacket(0, sequence, sequence * 160, ssrc, LOUD)
        self.socket.sendto(packet.to_bytes(), ("127.0.0.1", self.media.port))

    async def receive(self) -> RtpPacket:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30):
            packet = find_rtp_packet(await loop.sock_recv(self.socket, 2048))
        assert packet is not None
        return packet

    async def heard(self, count: int) -> None:
        """Wait until so many datagrams were heard or turned away."""
        recorder = self.media.recorder
        async with asyncio.timeout(30):
            while len(recorder.packets) + recorder.strangers < count:
                await self.media.progress(0.02)


def udp_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(0)
    made.bind(("127.0.0.1", 0))
    return made


@pytest.fixture
async def far_end() -> AsyncIterator[FarEnd]:
    media = MediaStream("127.0.0.1")
    with udp_socket() as made:
        yield FarEnd(media, made)
        media.close()


async def test_the_rtp_port_is_even(far_end: FarEnd) -> None:
    assert far_end.media.port % 2 == 0


async def test_packets_count_up_and_the_first_is_marked(far_end: FarEnd) -> None:
    far_end.agree()
    first, second = await far_end.receive(), await far_end.receive()
    assert (first.marker, second.marker) == (True, False)
    assert (second.sequence - first.sequence) % 0x10000 == 1
    # A stream that was late skips time, and never a packet.
    passed = (second.timestamp - first.timestamp) % 0x100000000
    assert passed == 160 * (1 + far_end.media.sending.skipped_frames)
    assert first.ssrc == second.ssrc
    assert first.payload == PCMU.silence * 160


async def test_sound_before_the_answer_is_heard(far_end: FarEnd) -> None:
    far_end.send(0)
    await far_end.heard(1)
    assert len(far_end.media.recorder.packets) == 1


async def test_a_far_end_behind_a_nat_is_heard(far_end: FarEnd) -> None:
    far_end.agree()
    with udp_socket() as nat:
        FarEnd(far_end.media, nat).send(0)
        await far_end.heard(1)
    assert len(far_end.media.recorder.packets) == 1


async def test_a_stranger_is_not_heard_once_the_far_end_speaks(far_end: FarEnd) -> None:
    far_end.agree()
    far_end.send(0)
    await far_end.heard(1)
    with udp_socket() as stranger:
        FarEnd(far_end.media, stranger).send(1, ssrc=2)
        await far_end.heard(2)
    assert [packet.ssrc for packet in far_end.media.recorder.packets] == [1]
    assert far_end.media.recorder.statistics().strangers == 1


async def test_arrivals_are_stamped_in_order_between_now_and_then(far_end: FarEnd) -> None:
    loop = asyncio.get_running_loop()
    before_s = loop.time()
    for sequence in range(3):
        far_end.send(sequence)
    await far_end.heard(3)
    arrivals = [packet.arrived_s for packet in far_end.media.recorder.packets]
    assert before_s - 0.001 <= arrivals[0] <= arrivals[1] <= arrivals[2] <= loop.time()


async def test_keys_need_a_far_end_that_takes_them(far_end: FarEnd) -> None:
    far_end.agree(dtmf=None)
    with pytest.raises(DtmfNotSupported):
        await far_end.media.press(plan_dtmf("1"))


async def test_a_stream_without_a_listener_sends_nothing(far_end: FarEnd) -> None:
    far_end.agree(may_send=False)
    played = await far_end.media.playback.play(np.ones(160, dtype=np.int16))
    assert played.is_complete
    assert far_end.media.sending.sent == 0
