"""Bodies of chat sessions and of what is said in them."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

import orjson
from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StringConstraints

from dispatch.chat.turns import LONGEST_MESSAGE
from dispatch.conversations import Conversation, Message
from gateway.schemas.base import Answer, RequestBody

Platform = Literal["SDK", "WEB", "WHATSAPP", "VOICE"]
State = Literal["OPEN", "CLOSED"]

_LONGEST_METADATA: Final = 4_096
_CONTACT: Final = "agntix.contact"
"""Where the contact is kept in a conversation's metadata: no variable of a prompt is named so."""

_Tag = Annotated[str, StringConstraints(min_length=1, max_length=100)]


def _short_enough(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(metadata).decode()) > _LONGEST_METADATA:
        raise ValueError(f"at most {_LONGEST_METADATA} characters of JSON")
    return metadata


_Metadata = Annotated[dict[str, Any], AfterValidator(_short_enough)]


class Contact(RequestBody):
    """Whom the client says it is."""

    external_id: Annotated[str, StringConstraints(min_length=1, max_length=320)] | None = None
    metadata: _Metadata = Field(default={})
    tags: list[_Tag] = Field(default=[], max_length=50)


class ChatSessionBody(RequestBody):
    """A chat session to open."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "agentId": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11",
                    "platform": "WEB",
                    "metadata": {"page": "pricing"},
                }
            ]
        }
    )

    agent_id: uuid.UUID
    platform: Platform = "SDK"
    metadata: _Metadata = Field(
        default={},
        description=(
            f"Free keys, up to {_LONGEST_METADATA} characters of JSON; the agent's texts can name"
            " them as `{{key}}`."
        ),
    )
    contact: Contact | None = None

    def to_metadata(self) -> dict[str, Any]:
        """Return what is kept with the conversation."""
        if self.contact is None:
            return self.metadata
        contact = self.contact.model_dump(by_alias=True, exclude_unset=True)
        return self.metadata | {_CONTACT: contact}


class ChatSessionAnswer(Answer):
    """A chat session."""

    id: uuid.UUID
    agent_id: uuid.UUID
    platform: str = Field(examples=["WEB"])
    state: State
    metadata: dict[str, Any]
    contact: dict[str, Any] | None = Field(examples=[{"externalId": "customer-17"}])
    org_id: uuid.UUID
    created_at: datetime
    updated_at: datetime = Field(description="When something was written last, or the end.")

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """Return the answer for a conversation."""
        metadata = dict(conversation.metadata)
        return cls(
            id=conversation.id,
            agent_id=conversation.agent.agent_id,
            platform=conversation.platform,
            state="OPEN" if conversation.closed_at is None else "CLOSED",
            contact=metadata.pop(_CONTACT, None),
            metadata=metadata,
            org_id=conversation.organization_id,
            created_at=conversation.created_at,
            updated_at=conversation.closed_at or conversation.last_active_at,
        )


class NewChatSessionAnswer(ChatSessionAnswer):
    """A chat session just opened."""

    session_token: str | None = Field(
        default=None,
        exclude_if=lambda token: token is None,
        description="With a widget key only: to be sent as `X-Session-Token` from now on.",
    )

    @classmethod
    def of_new(cls, conversation: Conversation, session_token: str | None) -> Self:
        """Return the answer for a conversation that was opened."""
        opened = cls.of(conversation)
        return opened.model_copy(update={"session_token": session_token})


class CloseBody(RequestBody):
    """Why a session is closed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "resolved"}]})

    reason: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="Checked for its shape; it is not kept."
    )


class MessageBody(RequestBody):
    """A message of the user."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content": "What are your opening hours?"}]}
    )

    content: Annotated[
        str, StringConstraints(min_length=1, max_length=LONGEST_MESSAGE, pattern=r"\S")
    ]
    stream: StrictBool | None = Field(
        default=None,
        description=(
            "True streams the answer, false waits for all of it; when absent it streams to clients"
            " that accept `text/event-stream` by name."
        ),
    )


class MessageAnswer(Answer):
    """Something that was said."""

    id: uuid.UUID
    content: str = Field(examples=["From nine to five."])
    role: Literal["USER", "ASSISTANT"]
    created_at: datetime

    @classmethod
    def of(cls, message: Message) -> Self:
        """Return the answer for a message."""
        return cls(
            id=message.id,
            content=message.content,
            role="USER" if message.role == "user" else "ASSISTANT",
            created_at=message.created_at,
        )
