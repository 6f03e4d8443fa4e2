"""Bodies of room tokens."""

from typing import Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from dispatch.conditions import both, described, has, if_there, implies
from dispatch.voice_sessions import SessionGrants
from gateway.faces.voxai.schemas.base import Answer, ConfigId, Name, RequestBody

MOST_AGENTS = 10


class GrantsBody(RequestBody):
    """LiveKit grants in this one room, beyond or below the usual ones."""

    model_config = ConfigDict(alias_generator=to_camel)

    room_join: Literal[True] = Field(default=True, description="What every token is for.")
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_update_own_metadata: bool = False
    hidden: bool = Field(default=False, description="Needs a key with the scope rooms:write.")
    room_admin: bool = Field(default=False, description="Needs a key with the scope rooms:write.")

    @property
    def asks_for_power(self) -> bool:
        """Whether it is more than a plain participant has."""
        return self.hidden or self.room_admin

    def to_grants(self) -> SessionGrants:
        """Return what the token will allow."""
        return SessionGrants(
            can_publish=self.can_publish,
            can_subscribe=self.can_subscribe,
            can_publish_data=self.can_publish_data,
            can_update_own_metadata=self.can_update_own_metadata,
            hidden=self.hidden,
            room_admin=self.room_admin,
        )


_NOBODY: Final = both(
    if_there("agent_config_id", type="null"), if_there("agent_config_ids", maxItems=0)
)


class TokenBody(RequestBody):
    """Who joins which room, and which agents shall be there."""

    model_config = ConfigDict(
        json_schema_extra=described(
            implies(has("no_agent", const=True), _NOBODY),
            examples=[
                {"identity": "user-123", "room": "my-room"},
                {"identity": "user-123", "room": "my-room", "agent_config_id": 1},
            ],
        )
    )

    identity: Name
    room: Name = Field(description="Without prefix; the answer names the room in full.")
    agent_config_id: ConfigId | None = None
    agent_config_ids: list[ConfigId] = Field(default_factory=list, max_length=MOST_AGENTS)
    no_agent: bool = Field(default=False, description="Dispatch nobody.")
    grants: GrantsBody = GrantsBody()

    @model_validator(mode="after")
    def _agents_or_none(self) -> Self:
        if self.no_agent and self.config_ids:
            raise ValueError("no_agent: name agents, or send no_agent, but not both")
        return self

    @property
    def config_ids(self) -> tuple[int, ...]:
        """Every agent that is asked for, once."""
        single = () if self.agent_config_id is None else (self.agent_config_id,)
        return tuple(dict.fromkeys((*single, *self.agent_config_ids)))


class TokenAnswer(Answer):
    """Join `wsUrl` with `token`."""

    token: str = Field(description="LiveKit access token, valid for one hour.")
    room: str = Field(description="The room in full.", examples=["proj_my-room"])
    ws_url: str = Field(alias="wsUrl", examples=["wss://livekit.example.com"])
    agents_dispatched: list[int] = Field(
        description="Agents sent to the room by this request; one that is there is not sent again.",
        examples=[[1]],
    )
