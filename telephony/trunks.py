"""Inbound trunks and dispatch rules as data: what LiveKit should hold."""

import json
from dataclasses import dataclass, field

from telephony.e164 import E164

MAX_NUMBERS_PER_SHARD = 1_000
"""Numbers on one inbound trunk. Measured INVITE to 200 OK with 1 / 1,000 / 20,000 / 100,000
numbers on one trunk: 0.03 / 0.04 / 0.07 / 0.20 s; 5,000 trunks of one number each were not
answered in 3 s. About a thousand keeps both the match and the update payload small."""


@dataclass(frozen=True, slots=True)
class TrunkOwner:
    """Who a trunk belongs to, written into its LiveKit metadata so that it can be adopted.

    `installation` keeps two Dialplane installations on one LiveKit apart.
    """

    installation: str
    connection_id: str
    shard: int

    def to_metadata(self) -> str:
        """Return the metadata text that names this owner."""
        return json.dumps(
            {
                "dialplane": self.installation,
                "connection": self.connection_id,
                "shard": self.shard,
            },
            sort_keys=True,
        )

    @staticmethod
    def find_in(metadata: str) -> "TrunkOwner | None":
        """Return the owner named by a metadata text, or None if it is not one of ours."""
        try:
            fields = json.loads(metadata)
        except ValueError:
            return None
        match fields:
            case {"dialplane": str(installation), "connection": str(connection), "shard": int(n)}:
                return TrunkOwner(installation, connection, n)
            case _:
                return None


@dataclass(frozen=True, slots=True)
class InboundTrunk:
    """One shard of a carrier connection's numbers, as LiveKit should hold it."""

    owner: TrunkOwner
    name: str
    numbers: frozenset[E164]
    allowed_addresses: frozenset[str] = frozenset()
    """IP addresses or CIDR ranges the carrier calls from; empty allows any."""
    auth_username: str = ""
    auth_password: str = field(default="", repr=False)
    ringing_timeout_s: float = 20.0
    """How long an unanswered call rings before LiveKit gives up, so the carrier can fail over."""


@dataclass(frozen=True, slots=True)
class DispatchRule:
    """The one rule of a carrier connection: a room and an agent job for each of its calls.

    It never names the agent: the job looks the dialled number up when it starts, so reassigning a
    number needs no LiveKit call. The rule names its trunks; a rule without trunks would catch all
    calls and open rooms for SIP scanners, so it must never be created.
    """

    owner: TrunkOwner
    """`shard` is -1: a rule serves every shard of its connection."""
    name: str
    trunk_ids: frozenset[str]
    room_prefix: str
    worker_name: str
    """The agent name under which workers register with LiveKit."""


@dataclass(frozen=True, slots=True)
class ObservedTrunk:
    """An inbound trunk as LiveKit holds it; `owner` is None when it is not one of ours."""

    livekit_trunk_id: str
    owner: TrunkOwner | None
    trunk: InboundTrunk | None
    """The trunk in our words; None when `owner` is None, or when somebody changed the trunk into
    something our words cannot say."""
    name: str
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class ObservedRule:
    """A dispatch rule as LiveKit holds it; `owner` is None when it is not one of ours."""

    livekit_rule_id: str
    owner: TrunkOwner | None
    rule: DispatchRule | None
    """None as for a trunk."""
    name: str
    trunk_ids: frozenset[str]
