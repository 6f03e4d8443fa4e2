"""Bodies of secrets: they go in, and only their ends come out."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import Path
from pydantic import ConfigDict, Field, SecretStr

from dispatch.secrets.values import MOST_VALUES, MaskedSecret
from gateway.schemas.base import Answer, RequestBody

ProviderName = Annotated[
    str,
    Path(
        description="The provider in one word.",
        examples=["openai"],
        json_schema_extra={"pattern": "^[a-z0-9][a-z0-9_-]{0,39}$"},
    ),
]
"""Where a path names whose secret is kept."""


class SecretBody(RequestBody):
    """A provider's values, in place of all that were kept for it before."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"values": {"api_key": "sk-0123456789abcdef"}}]}
    )

    values: dict[str, SecretStr] = Field(
        description="1 to 20 values by name; names have lower-case letters, digits and _.",
        json_schema_extra={
            "minProperties": 1,
            "maxProperties": MOST_VALUES,
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,39}$"},
        },
    )

    def to_values(self) -> dict[str, str]:
        """Return the values in clear."""
        return {name: value.get_secret_value() for name, value in self.values.items()}


class SecretAnswer(Answer):
    """What is kept for a provider, without being told."""

    provider: str = Field(examples=["openai"])
    values: dict[str, str] = Field(
        description="By name; of a long value its vendor's prefix and its last four characters.",
        examples=[{"api_key": "sk-…cdef"}],
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, secret: MaskedSecret) -> Self:
        """Return the answer for a secret."""
        return cls.model_validate(secret)


class SecretsAnswer(Answer):
    """Everything that a project keeps secret, by provider."""

    data: list[SecretAnswer]
