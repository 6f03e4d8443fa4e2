"""Phone numbers and the carrier connections they come in on."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final

from pydantic import TypeAdapter

from dispatch.number_behaviour import NumberBehaviour
from telephony.e164 import E164


class SyncState(StrEnum):
    """Whether LiveKit holds a number."""

    PENDING = "pending"
    ACTIVE = "active"
    CONFLICT = "conflict"
    """Somebody else's trunk in LiveKit claims the number; ours was not created."""


class Unchanged(Enum):
    """Tells "leave as it is" from None, which takes the agent away."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED

AgentChange = uuid.UUID | None | Unchanged
"""An agent to assign, None to assign nobody, or `UNCHANGED`."""


@dataclass(frozen=True, slots=True)
class CarrierConnection:
    """How one carrier reaches us; its password never leaves the store."""

    id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    name: str
    provider: str
    allowed_addresses: tuple[str, ...]
    """Addresses or CIDR ranges the carrier calls from; empty only when it has a user name."""
    auth_username: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A DID and who answers it."""

    id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    number: E164
    provider: str
    """Its connection's carrier."""
    connection_id: uuid.UUID
    inbound_agent_id: uuid.UUID | None
    outbound_agent_id: uuid.UUID | None
    status: SyncState
    """As the number's owner should see it: a number is `active` only while calls reach it."""
    status_reason: str | None
    """A sentence, when the status is not `active`."""
    created_at: datetime
    behaviour: NumberBehaviour | None = None
    """None while it does nothing beside letting its agent answer."""
    revision: int = 0
    """Of the row; as in `Route`."""

    @property
    def route(self) -> "Route":
        """Where calls to it go."""
        return Route(
            did=self.number,
            number_id=self.id,
            organization_id=self.organization_id,
            project_id=self.project_id,
            agent_id=self.inbound_agent_id,
            connection_id=self.connection_id,
            behaviour=self.behaviour,
            revision=self.revision,
        )


@dataclass(frozen=True, slots=True)
class Route:
    """Where calls to a number go."""

    did: E164
    number_id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    agent_id: uuid.UUID | None
    """None while no agent is assigned: calls are refused, and on the number's record."""
    connection_id: uuid.UUID
    behaviour: NumberBehaviour | None = None
    """None for most numbers: admission then has nothing to ask about."""
    revision: int = 0
    """Grows with the commits that change it; 0 was published before there were revisions."""


ROUTE: Final = TypeAdapter(Route)
"""A route as JSON, and back."""
