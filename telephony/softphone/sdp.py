"""SDP offers and answers for one G.711 audio stream with telephone-events.

Source: RFC 8866 (SDP), RFC 3264 (offer and answer), RFC 4733 section 2.4.1 (telephone-event).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from telephony.softphone.errors import InvalidSDP, NoCommonCodec
from telephony.softphone.g711 import CODECS, SAMPLE_RATE_HZ, Codec

_DTMF_PAYLOAD_TYPE: Final = 101
_DTMF_ENCODING: Final = f"telephone-event/{SAMPLE_RATE_HZ}"
_AUDIO_PROFILE: Final = "RTP/AVP"


class Direction(Enum):
    """Who sends, seen from the end that says it (RFC 3264 section 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the end that says so sends."""
        return self in {Direction.SENDRECV, Direction.SENDONLY}

    @property
    def receives(self) -> bool:
        """Whether the end that says so receives."""
        return self in {Direction.SENDRECV, Direction.RECVONLY}

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> "Direction":
        """Return the direction that says both."""
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """What one end says about its audio: where it hears, what it understands, who talks."""

    host: str
    """IP address of the RTP port."""
    port: int
    """RTP port; 0 rejects the stream."""
    codecs: tuple[int, ...]
    """Static payload types of the G.711 codecs, best first."""
    dtmf_payload_type: int | None = _DTMF_PAYLOAD_TYPE
    direction: Direction = Direction.SENDRECV
    session_id: int = 1
    version: int = 1
    """Grows by one with every change."""
    media_before: tuple[str, ...] = ()
    """`m=` values of streams before the audio; answers must list them too."""
    media_after: tuple[str, ...] = ()
    """`m=` values of streams after the audio."""

    def to_bytes(self) -> bytes:
        """Return the description as a message body."""
        family = "IP6" if ":" in self.host else "IP4"
        lines = [
            "v=0",
            f"o=- {self.session_id} {self.version} IN {family} {self.host}",
            "s=-",
            f"c=IN {family} {self.host}",
            "t=0 0",
            *_refused(self.media_before),
            *self._audio(),
            *_refused(self.media_after),
        ]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def _audio(self) -> Iterator[str]:
        dtmf = () if self.dtmf_payload_type is None else (self.dtmf_payload_type,)
        formats = " ".join(str(number) for number in (*self.codecs, *dtmf))
        yield f"m=audio {self.port} {_AUDIO_PROFILE} {formats}"
        for number in self.codecs:
            yield f"a=rtpmap:{number} {CODECS[number].name}/{SAMPLE_RATE_HZ}"
        for number in dtmf:
            yield f"a=rtpmap:{number} {_DTMF_ENCODING}"
            yield f"a=fmtp:{number} 0-15"
        yield "a=ptime:20"
        yield f"a={self.direction.value}"


@dataclass(frozen=True, slots=True)
class NegotiatedAudio:
    """What both ends agreed on."""

    remote_host: str
    remote_port: int
    codec: Codec
    dtmf_payload_type: int | None
    """Payload type the far end expects digits under; None when it takes none."""
    may_send: bool
    """Whether the far end wants to hear."""
    may_receive: bool
    """Whether the far end may talk."""


def parse_sdp(body: bytes) -> SessionDescription:
    """Read a session description and keep its first usable audio stream.

    Unknown lines and attributes are skipped.

    Raises:
        InvalidSDP: Not SDP, or a line that matters is malformed.
        NoCommonCodec: No RTP/AVP audio stream with a G.711 codec.
    """
    try:
        session, streams = _sections(body.decode())
        index = _audio_index(streams)
        return _described(session, streams, index)
    except (UnicodeDecodeError, IndexError) as exc:
        raise InvalidSDP("the session description cannot be read") from exc
    except ValueError as exc:
        raise InvalidSDP("a number in the session description cannot be read") from exc


def negotiate(local: SessionDescription, remote: SessionDescription) -> NegotiatedAudio:
    """Combine both descriptions of one offer and answer.

    The far end's order of preference decides, whoever offered: it is the one that is heard.

    Raises:
        NoCommonCodec: No codec in common, or the far end rejected the stream.
    """
    common = [number for number in remote.codecs if number in local.codecs]
    if not common or not remote.port:
        raise NoCommonCodec("both ends share no G.711 codec")
    # `c=0.0.0.0` is how RFC 2543 put a call on hold.
    is_reachable = remote.host not in {"0.0.0.0", "::"}
    return NegotiatedAudio(
        remote_host=remote.host,
        remote_port=remote.port,
        codec=CODECS[common[0]],
        dtmf_payload_type=remote.dtmf_payload_type if local.dtmf_payload_type else None,
        may_send=remote.direction.receives and local.direction.sends and is_reachable,
        may_receive=remote.direction.sends and local.direction.receives,
    )


def answer(local: SessionDescription, offer: SessionDescription) -> SessionDescription:
    """Return our answer to an offer.

    Args:
        local: What we would offer: our address, all our codecs, the direction we want.
        offer: What the far end offered.

    Raises:
        NoCommonCodec: No codec in common.
    """
    agreed = negotiate(local, offer)
    return replace(
        local,
        codecs=(agreed.codec.payload_type,),
        dtmf_payload_type=agreed.dtmf_payload_type,
        direction=Direction.of(
            sends=local.direction.sends and offer.direction.receives,
            receives=local.direction.receives and offer.direction.sends,
        ),
        media_before=offer.media_before,
        media_after=offer.media_after,
    )


_Lines = list[tuple[str, str]]


def _sections(text: str) -> tuple[_Lines, list[_Lines]]:
    """Split into the session's lines and those of each stream, as (type, value)."""
    session: _Lines = []
    streams: list[_Lines] = []
    for line in text.splitlines():
        kind, separator, value = line.partition("=")
        if not separator:
            continue
        if kind == "m":
            streams.append([])
        (streams[-1] if streams else session).append((kind, value.strip()))
    if ("v", "0") not in session:
        raise InvalidSDP("not a session description")
    return session, streams


def _audio_index(streams: Sequence[_Lines]) -> int:
    for index, stream in enumerate(streams):
        kind, _, profile, *_ = stream[0][1].split()
        if kind == "audio" and profile == _AUDIO_PROFILE:
            return index
    raise NoCommonCodec("no audio stream over RTP/AVP")


def _described(session: _Lines, streams: Sequence[_Lines], index: int) -> SessionDescription:
    stream = streams[index]
    _, port, _, *formats = stream[0][1].split()
    encodings = _encodings(stream)
    numbers = [int(number) for number in formats]
    codecs = tuple(number for number in numbers if number in CODECS)
    dtmf = [number for number in numbers if encodings.get(number) == _DTMF_ENCODING]
    # A port may carry a count, as in `49170/2` (RFC 8866 section 5.14).
    port_number = int(port.split("/")[0])
    origin = _find(session, "o").split()
    return SessionDescription(
        host=(_find(stream, "c") or _find(session, "c")).split()[-1].split("/")[0],
        port=port_number,
        codecs=codecs,
        dtmf_payload_type=dtmf[0] if dtmf else None,
        direction=_direction(session, stream),
        session_id=int(origin[1]),
        version=int(origin[2]),
        media_before=tuple(other[0][1] for other in streams[:index]),
        media_after=tuple(other[0][1] for other in streams[index + 1 :]),
    )


def _encodings(stream: _Lines) -> dict[int, str]:
    """Return the encoding of each mapped payload type, lower case, without channel count."""
    encodings: dict[int, str] = {}
    for kind, value in stream:
        if kind == "a" and value.startswith("rtpmap:"):
            number, _, encoding = value.removeprefix("rtpmap:").partition(" ")
            encodings[int(number)] = encoding.strip().lower().removesuffix("/1")
    return encodings


def _direction(session: _Lines, stream: _Lines) -> Direction:
    known = {direction.value: direction for direction in Direction}
    for lines in (stream, session):
        for kind, value in lines:
            if kind == "a" and value in known:
                return known[value]
    return Direction.SENDRECV


def _find(lines: _Lines, kind: str) -> str:
    return next((value for found, value in lines if found == kind), "")


def _refused(streams: Sequence[str]) -> Iterator[str]:
    """Yield `m=` lines that reject the streams: port 0 (RFC 3264 section 6)."""
    for stream in streams:
        kind, _, *rest = stream.split()
        yield " ".join([f"m={kind} 0", *rest])
