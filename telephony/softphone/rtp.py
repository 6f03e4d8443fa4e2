"""RTP packets to and from bytes.

Source: RFC 3550 section 5.1 (fixed header), 5.3.1 (extension); RFC 5761 section 4 (telling RTCP).
"""

import struct
from dataclasses import dataclass
from typing import Final

_HEADER: Final = struct.Struct("!BBHII")
_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet; padding, extensions and contributing sources are not kept."""

    payload_type: int
    """0 to 127."""
    sequence: int
    """16 bits."""
    timestamp: int
    """32 bits, in samples."""
    ssrc: int
    """32 bits."""
    payload: bytes
    marker: bool = False

    def to_bytes(self) -> bytes:
        """Return the packet as sent on the wire."""
        second = self.payload_type | (0x80 if self.marker else 0)
        header = _HEADER.pack(_VERSION << 6, second, self.sequence, self.timestamp, self.ssrc)
        return header + self.payload


def find_rtp_packet(datagram: bytes) -> RtpPacket | None:
    """Read an RTP packet; None for RTCP on the same port and for anything malformed."""
    if len(datagram) < _HEADER.size:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    # RTCP packet types 192 to 223 would be payload types 64 to 95 with the marker set.
    if first >> 6 != _VERSION or 192 <= second <= 223:
        return None
    payload = _payload(datagram, first)
    if payload is None:
        return None
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, payload, bool(second & 0x80))


def _payload(datagram: bytes, first: int) -> bytes | None:
    start = _HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(datagram) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(datagram[start + 2 : start + 4])
    end = len(datagram)
    if first & 0x20:
        end -= datagram[-1]
    return datagram[start:end] if start <= end else None
