"""The table of providers, models and voices."""

import uuid

import pytest

from dispatch.models.catalogue import ModelKind, catalogue
from dispatch.models.params import PARAMS

pytestmark = pytest.mark.unit

TABLE = catalogue()


def test_every_model_and_voice_belongs_to_a_provider():
    slugs = {row.slug for row in TABLE.providers}
    assert {row.provider for row in (*TABLE.models, *TABLE.voices)} == slugs


def test_every_voice_belongs_to_models_that_speak():
    speakers = {
        (row.provider, row.name)
        for row in TABLE.models
        if row.kind in {ModelKind.TTS, ModelKind.STS}
    }
    assert {(row.provider, name) for row in TABLE.voices for name in row.models} <= speakers


def test_no_row_is_there_twice():
    assert len({row.id for row in TABLE.models}) == len(TABLE.models)
    assert len({(row.provider, row.id) for row in TABLE.voices}) == len(TABLE.voices)


def test_each_kind_of_a_provider_has_one_default_model():
    for provider, kind in {(row.provider, row.kind) for row in TABLE.models}:
        assert len([row for row in TABLE.list_models(kind, provider) if row.default]) == 1


def test_every_model_that_speaks_has_one_default_voice_among_its_own():
    for model in TABLE.models:
        if model.kind in {ModelKind.TTS, ModelKind.STS}:
            voices = TABLE.list_voices(provider=model.provider, model=model.name)
            assert len([row for row in voices if model.name in row.default_of]) == 1


def test_every_model_that_an_agent_can_choose_has_parameters():
    choosable = {row for row in TABLE.models if row.kind is not ModelKind.EMBEDDING}
    assert {(row.provider, row.kind) for row in choosable} == PARAMS.keys()


def test_the_id_of_a_model_never_changes():
    nova = TABLE.find_model(ModelKind.STT, "deepgram", "nova-3")
    assert nova is not None
    assert nova.id == uuid.UUID("ec56aac5-fdfc-5af0-a79f-94c70c316db9")
    assert TABLE.model_by_id(nova.id) is nova


def test_voices_are_found_by_provider_and_language():
    found = TABLE.list_voices(provider="deepgram", language="es")
    assert {row.languages[0].partition("-")[0] for row in found} == {"es"}
    assert "aura-2-pandora-en" not in {row.id for row in TABLE.list_voices(language="en-US")}
    assert "alloy" in {row.id for row in TABLE.list_voices(language="nl")}
