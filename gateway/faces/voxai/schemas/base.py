"""What all bodies of VoxAI's API share: snake_case, and fields it knows."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

LONGEST_NAME = 128


class RequestBody(BaseModel):
    """A request's body; a field it does not know is an error, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Answer(BaseModel):
    """An answer's body, made from the object `dispatch` returned where the names are the same."""

    model_config = ConfigDict(from_attributes=True, frozen=True, populate_by_name=True)


ConfigId = Annotated[
    int,
    Field(ge=1, le=2_147_483_647, description="The agent as a small number.", examples=[1]),
]

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""A name that LiveKit keeps: one line, not empty."""
