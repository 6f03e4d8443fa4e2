"""Providers, models and voices that Dialplane knows: one versioned table for everybody.

Validation, the lists of the public APIs and the price table read this one table. The rows are in
``catalogue.json``; change them there, with a new version. What a stored agent names stays valid
when a row goes: rows are asked about when an agent is written, never when it is read.

Sources, 2026-11: developers.deepgram.com/docs/models-languages-overview and docs/tts-models; the
types of the packages openai 3.52 and livekit-plugins 1.8.9. OpenAI does not say which gender its
voices express, so they are neutral here.
"""

import uuid
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final

from pydantic import BaseModel, ConfigDict

_IDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://dialplane.dev/models")


class ModelKind(StrEnum):
    """What a model does."""

    STT = "STT"
    """Speech to text."""
    LLM = "LLM"
    TTS = "TTS"
    """Text to speech."""
    STS = "STS"
    """Speech to speech, in one model."""
    EMBEDDING = "EMBEDDING"


class Gender(StrEnum):
    """What a voice sounds like; neutral where its maker does not say."""

    FEMALE = "female"
    MALE = "male"
    NEUTRAL = "neutral"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Provider(_Row):
    """Who runs models."""

    slug: str
    """How agents name it."""
    name: str
    needs_key: bool
    """Whether a tenant must have a key of this provider among its secrets."""
    takes_base_url: bool
    """Whether another server that speaks the provider's protocol may take its place."""


class Model(_Row):
    """A model of a provider."""

    provider: str
    kind: ModelKind
    name: str
    languages: tuple[str, ...] = ()
    """Primary language subtags it is limited to; empty when it is not."""
    default: bool = False
    """Whether it is the provider's choice when a client names none."""

    @property
    def id(self) -> uuid.UUID:
        """The same id for the same model in every installation and version."""
        return uuid.uuid5(_IDS, f"model/{self.provider}/{self.kind}/{self.name}")


class Voice(_Row):
    """A voice of a provider's models."""

    provider: str
    id: str
    """How agents and the provider name it."""
    name: str
    languages: tuple[str, ...] = ()
    """BCP 47 tags; empty for a voice that speaks every language of its models."""
    gender: Gender
    models: tuple[str, ...]
    """The models that have this voice, by name."""
    default_of: tuple[str, ...] = ()
    """Those of them that speak with it when a client names no voice."""


class Catalogue(_Row):
    """The whole table."""

    version: str
    """Day of the last change."""
    providers: tuple[Provider, ...]
    models: tuple[Model, ...]
    voices: tuple[Voice, ...]

    def provider(self, slug: str) -> Provider | None:
        """Return a provider, or None when there is none of that name."""
        return next((row for row in self.providers if row.slug == slug), None)

    def list_models(
        self, kind: ModelKind | None = None, provider: str | None = None
    ) -> tuple[Model, ...]:
        """Return the models of a kind and of a provider, both optional."""
        return tuple(
            row
            for row in self.models
            if kind in (None, row.kind) and provider in (None, row.provider)
        )

    def find_model(self, kind: ModelKind, provider: str, name: str) -> Model | None:
        """Return a model, or None when the table does not have it."""
        return next((row for row in self.list_models(kind, provider) if row.name == name), None)

    def model_by_id(self, model_id: uuid.UUID) -> Model | None:
        """Return the model of an id, or None."""
        return next((row for row in self.models if row.id == model_id), None)

    def default_model(self, kind: ModelKind, provider: str) -> Model | None:
        """Return a provider's own choice of a kind, or None when it has none of that kind."""
        return next((row for row in self.list_models(kind, provider) if row.default), None)

    def list_voices(
        self,
        provider: str | None = None,
        language: str | None = None,
        model: str | None = None,
    ) -> tuple[Voice, ...]:
        """Return the voices that fit, each filter optional.

        Args:
            provider: A provider's slug.
            language: A BCP 47 tag; `en` fits `en-US`, `en-GB` does not. Voices that speak every
                language fit all.
            model: A model's name.
        """
        return tuple(
            row
            for row in self.voices
            if provider in (None, row.provider)
            and (model is None or model in row.models)
            and (language is None or _speaks(row, language))
        )

    def default_voice(self, provider: str, model: str) -> Voice | None:
        """Return the voice of a model for which a client names none, or None for other models."""
        voices = self.list_voices(provider=provider)
        return next((row for row in voices if model in row.default_of), None)


def primary_subtag(language: str) -> str:
    """Return the language itself of a BCP 47 tag: `en` of `en-US`."""
    return language.partition("-")[0].lower()


@cache
def catalogue() -> Catalogue:
    """Return the table, read once in a process."""
    text = resources.files("dispatch.models").joinpath("catalogue.json").read_text("utf-8")
    return Catalogue.model_validate_json(text)


def _speaks(voice: Voice, language: str) -> bool:
    wanted = language.lower()
    return not voice.languages or any(
        spoken.lower() == wanted or spoken.lower().startswith(f"{wanted}-")
        for spoken in voice.languages
    )
