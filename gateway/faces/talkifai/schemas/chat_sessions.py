"""Bodies of chat sessions."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dispatch.blanks import NOT_BLANK, STRIPPED
from dispatch.chat.turns import LONGEST_MESSAGE
from gateway.schemas.metadata import Metadata


class ChatSessionBody(BaseModel):
    """A chat session to open."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "agent_id": "5b710eca-ee67-4c3a-aeb6-8b541f451b40",
                    "metadata": {"source": "website_chat"},
                    "user_identifier": "customer@example.com",
                }
            ]
        },
    )

    agent_id: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
        Field(json_schema_extra=NOT_BLANK),
        STRIPPED,
    ]
    metadata: Metadata | None = Field(
        default=None, description="Free keys; the agent's prompt can name them as `{{key}}`."
    )
    user_identifier: Annotated[str, StringConstraints(max_length=320)] | None = Field(
        default=None, description="Whom the user is known as, for example an email address."
    )


class ChatSessionAnswer(BaseModel):
    """A chat session: send messages with its token."""

    conversation_id: str = Field(examples=["chat_5b710eca_user123_1705312800000"])
    session_token: str = Field(description="Good for this conversation only, for 24 hours.")
    agent_name: str = Field(examples=["Support Agent"])
    greeting: str | None = Field(
        description="To be shown at once; null when the agent waits for the user.",
        examples=["Hello! How can I help you today?"],
    )
    agent_model: str = Field(examples=["gpt-4o-mini"])


class MessageBody(BaseModel):
    """A message of the user."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"message": "What are your business hours?"}]},
    )

    # Checked by the use case, whose words are the published ones.
    message: str = Field(json_schema_extra={"minLength": 1, "maxLength": LONGEST_MESSAGE})


class MessageAnswer(BaseModel):
    """Something that was said."""

    role: str = Field(examples=["assistant"], description="`user` or `assistant`.")
    content: str = Field(examples=["Our business hours are 9am to 6pm."])
    timestamp: str = Field(examples=["2024-01-15T10:00:00+00:00"])
    token_count: int | None = Field(description="Of an assistant's answer.", examples=[18])


class HistoryAnswer(BaseModel):
    """A stretch of the conversation, oldest first."""

    messages: list[MessageAnswer]
    count: int = Field(description="Messages in this answer.", examples=[1])


class EndAnswer(BaseModel):
    """The session is over."""

    success: bool = Field(examples=[True])
    message: str = Field(examples=["Session ended successfully"])


def event_stream(example: str) -> dict[str, Any]:
    """Return the documentation of an answer that is a stream of events."""
    return {
        "description": "What happens while the agent answers, as server-sent events.",
        "content": {"text/event-stream": {"schema": {}, "example": example}},
    }
