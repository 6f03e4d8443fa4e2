"""An outbound call as plain data: what was asked for, and over which carrier it is placed."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, with_config

from dispatch.sealed import WrappedKey
from telephony.calls import CallState
from telephony.e164 import E164

OUTBOUND_ROOM_PREFIX = "out_"
"""How the names of rooms begin in which calls are placed."""

CALLEE_IDENTITY = "callee"
"""The called party's participant identity; it is the only one in its room."""


def outbound_room_of(call_id: uuid.UUID) -> str:
    """Return the name of the room that an outbound call is placed in; it holds no number."""
    return f"{OUTBOUND_ROOM_PREFIX}{call_id.hex}"


@with_config(ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
@dataclass(frozen=True, slots=True)
class CarrierTrunk:
    """Where calls to a carrier go, and how we make ourselves known there."""

    connection_id: uuid.UUID
    project_id: uuid.UUID
    hostname: str
    """Host or `host:port`."""
    username: str | None = None
    password_sealed: bytes | None = field(default=None, repr=False)
    data_key: WrappedKey | None = field(default=None, repr=False)
    """Opens the password."""
    revision: int = 0
    """Grows with the commits that change it; 0 was published before there were revisions."""


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """A call to place."""

    id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    connection_id: uuid.UUID
    agent_id: uuid.UUID
    from_number: E164
    to_number: E164
    ring_timeout_s: int
    metadata: dict[str, Any]
    due_at: datetime
    created_at: datetime

    @property
    def room_name(self) -> str:
        """The room it is placed in."""
        return outbound_room_of(self.id)


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """What the job that dials must know."""

    call_id: uuid.UUID
    connection_id: uuid.UUID
    room_name: str
    from_number: E164
    to_number: E164
    ring_timeout_s: int


@dataclass(frozen=True, slots=True)
class CarrierLimits:
    """How fast and how many outbound calls may be."""

    calls_per_second: int
    at_once: int


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """An outbound call as its owner sees it right after asking for it."""

    call: OutboundCall
    state: CallState
