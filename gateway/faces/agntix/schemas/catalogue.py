"""Bodies of the lists of voices, models and providers."""

import uuid
from typing import Literal, Self

from pydantic import Field

from dispatch.models.catalogue import Model, Provider, Voice
from gateway.schemas.base import Answer

VoiceModelType = Literal["TTS", "STT", "STS"]


class VoiceAnswer(Answer):
    """A voice."""

    id: str = Field(description="How an agent names it.", examples=["aura-2-thalia-en"])
    name: str = Field(examples=["Thalia"])
    provider: str = Field(examples=["deepgram"])
    language: str | None = Field(
        description="BCP 47; null for a voice that speaks every language of its models.",
        examples=["en-US"],
    )
    gender: Literal["male", "female", "neutral"]
    preview_url: str | None = Field(description="Always null: there are no recordings here.")

    @classmethod
    def of(cls, voice: Voice) -> Self:
        """Return the answer for a voice."""
        return cls(
            id=voice.id,
            name=voice.name,
            provider=voice.provider,
            language=voice.languages[0] if voice.languages else None,
            gender=voice.gender.value,
            preview_url=None,
        )


class VoicesAnswer(Answer):
    """Voices."""

    data: list[VoiceAnswer]


class VoiceModelAnswer(Answer):
    """A model that hears or speaks."""

    id: uuid.UUID
    name: str = Field(examples=["nova-2-general"])
    provider: str = Field(examples=["deepgram"])
    type: VoiceModelType
    is_active: bool = Field(description="Whether the project can use it: it has the key it needs.")


class VoiceModelsAnswer(Answer):
    """Models that hear or speak."""

    data: list[VoiceModelAnswer]


class LanguageModelAnswer(Answer):
    """A model that thinks."""

    id: uuid.UUID
    name: str = Field(examples=["gpt-4o-mini"])
    provider: str = Field(examples=["openai"])
    type: Literal["LLM"]
    is_active: bool = Field(description="Whether the project can use it: it has the key it needs.")


class LanguageModelsAnswer(Answer):
    """Models that think."""

    data: list[LanguageModelAnswer]


class VoiceProviderAnswer(Answer):
    """Who runs models."""

    id: str = Field(examples=["pvdr_deepgram"])
    name: str = Field(examples=["Deepgram"])
    slug: str = Field(examples=["deepgram"])
    is_active: bool = Field(description="Whether the project can use it: it has the key it needs.")


class VoiceProvidersAnswer(Answer):
    """Who runs models."""

    data: list[VoiceProviderAnswer]


def model_answer(model: Model, kind: VoiceModelType, usable: set[str]) -> VoiceModelAnswer:
    """Return the answer for a model."""
    return VoiceModelAnswer(
        id=model.id,
        name=model.name,
        provider=model.provider,
        type=kind,
        is_active=model.provider in usable,
    )


def provider_answer(provider: Provider, usable: set[str]) -> VoiceProviderAnswer:
    """Return the answer for a provider."""
    return VoiceProviderAnswer(
        id=f"pvdr_{provider.slug}",
        name=provider.name,
        slug=provider.slug,
        is_active=provider.slug in usable,
    )


def language_model_answer(model: Model, usable: set[str]) -> LanguageModelAnswer:
    """Return the answer for a language model."""
    return LanguageModelAnswer(
        id=model.id,
        name=model.name,
        provider=model.provider,
        type="LLM",
        is_active=model.provider in usable,
    )
