"""Voices, models and their providers: what an agent can be made of."""

from typing import Annotated, Final, get_args

from fastapi import APIRouter, Query, Security

from dispatch.accounts import Principal, Scope
from dispatch.models.catalogue import ModelKind, catalogue
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.agntix.schemas.catalogue import (
    LanguageModelsAnswer,
    VoiceAnswer,
    VoiceModelsAnswer,
    VoiceModelType,
    VoiceProvidersAnswer,
    VoicesAnswer,
    language_model_answer,
    model_answer,
    provider_answer,
)
from gateway.schemas.errors import native_errors
from gateway.services import Services

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: voices"],
    dependencies=[Security(key_header), Security(key_bearer), requires(Scope.AGENTS_READ)],
    responses=native_errors(401, 403, 429),
)

_VOICE_TYPES: Final[tuple[VoiceModelType, ...]] = get_args(VoiceModelType)


@router.get("/v1/voice/voices", summary="List voices", responses=native_errors(400))
async def list_voices(
    provider: Annotated[
        str | None, Query(max_length=100, description="Only this provider's, by its slug.")
    ] = None,
    language: Annotated[
        str | None,
        Query(max_length=35, description="Only those that speak it; `en` includes `en-US`."),
    ] = None,
) -> VoicesAnswer:
    """List the voices that agents can speak with."""
    voices = catalogue().list_voices(provider=provider, language=language)
    return VoicesAnswer(data=[VoiceAnswer.of(voice) for voice in voices])


@router.get("/v1/voice/models", summary="List voice models", responses=native_errors(400))
async def list_voice_models(
    principal: CurrentPrincipal,
    services: ServicesOf,
    type: Annotated[  # noqa: A002 - the parameter's published name
        VoiceModelType | None, Query(description="Only models that do this.")
    ] = None,
) -> VoiceModelsAnswer:
    """List the models that hear (STT), speak (TTS) or do both (STS)."""
    usable = await _usable(principal, services)
    kinds = _VOICE_TYPES if type is None else (type,)
    return VoiceModelsAnswer(
        data=[
            model_answer(model, kind, usable)
            for kind in kinds
            for model in catalogue().list_models(ModelKind(kind))
        ]
    )


@router.get("/v1/chat/models", summary="List language models")
async def list_language_models(
    principal: CurrentPrincipal, services: ServicesOf
) -> LanguageModelsAnswer:
    """List the models that think: an agent's `modelId`."""
    usable = await _usable(principal, services)
    return LanguageModelsAnswer(
        data=[
            language_model_answer(model, usable) for model in catalogue().list_models(ModelKind.LLM)
        ]
    )


@router.get("/v1/voice/providers", summary="List voice providers")
async def list_voice_providers(
    principal: CurrentPrincipal, services: ServicesOf
) -> VoiceProvidersAnswer:
    """List who runs the models, and for whom of them the project has what it takes."""
    usable = await _usable(principal, services)
    return VoiceProvidersAnswer(
        data=[provider_answer(each, usable) for each in catalogue().providers]
    )


async def _usable(principal: Principal, services: Services) -> set[str]:
    kept = {each.provider for each in await services.secrets.masked(principal.project_id)}
    return {each.slug for each in catalogue().providers if not each.needs_key or each.slug in kept}
