"""Bodies of secrets."""

from pydantic import Field

from gateway.faces.voxai.schemas.base import Answer


class SecretsAnswer(Answer):
    """A provider's secrets in clear text, for the agent servers of the project."""

    provider: str = Field(examples=["openai"])
    secrets: dict[str, str] = Field(examples=[{"api_key": "sk-…"}])
