"""Whether the models an agent names exist, and fit its mode, its language and each other.

Asked when an agent is written. What is stored is not asked again: a row that leaves the catalogue
must not make an agent unreadable.
"""

from typing import Any, Final

from pydantic import ValidationError

from dispatch.errors import InvalidField
from dispatch.models.catalogue import Provider, catalogue, primary_subtag
from dispatch.models.choices import AgentModels, ModelChoice
from dispatch.models.params import PARAMS
from telephony.speech.errors import UnknownVoiceError
from telephony.speech.espeak import check_voice

_MOST_NAMED: Final = 12
"""How many names a sentence lists before it says that there are more."""


def check_models(
    models: AgentModels, *, language: str, needs_sts: bool, needs_phrases: bool
) -> None:
    """Accept an agent's models.

    Args:
        models: What the agent names.
        language: The agent's language, BCP 47.
        needs_sts: Whether its mode is `sts` or `hybrid`.
        needs_phrases: Whether nothing could be understood by the builtin recognition: callers
            speak to a pipeline, and the script has no phrase.

    Raises:
        InvalidField: The first choice that is wrong: which field, and what is allowed.
    """
    _check_choice("models.stt", models.stt, language)
    _check_choice("models.llm", models.llm, language)
    _check_choice("models.tts", models.tts, language)
    _check_voice("models.tts", models.tts.voice, models.tts)
    if models.realtime is not None:
        _check_choice("models.realtime", models.realtime, language)
        _check_voice("models.realtime", models.realtime.voice, models.realtime)
    elif needs_sts:
        raise InvalidField(
            "models.realtime", "models.realtime is needed in the modes sts and hybrid"
        )
    if needs_phrases and models.llm.provider != "builtin" and models.stt.provider == "builtin":
        raise InvalidField(
            "models.stt",
            "the builtin recognition understands only the phrases of the script, and the script"
            " has none: name another provider, or write phrases",
        )


def _check_choice(field: str, choice: ModelChoice, language: str) -> None:
    provider = _check_provider(field, choice)
    if choice.base_url is None:
        _check_model(field, choice, language)
    elif not provider.takes_base_url:
        raise InvalidField(f"{field}.base_url", f"{provider.slug} runs here and has no base URL")
    _check_params(field, choice)
    if choice.params.get("keyterm") and not choice.model.startswith("nova-3"):
        # Source: developers.deepgram.com/docs/keyterm.
        raise InvalidField(f"{field}.params.keyterm", "only the nova-3 models take key terms")


def _check_provider(field: str, choice: ModelChoice) -> Provider:
    able = {row.provider for row in catalogue().list_models(choice.kind)}
    provider = catalogue().provider(choice.provider)
    if provider is None or provider.slug not in able:
        names = [row.slug for row in catalogue().providers if row.slug in able]
        raise InvalidField(
            f"{field}.provider", f"{_quoted(choice.provider)} is none of {_listed(names)}"
        )
    return provider


def _check_model(field: str, choice: ModelChoice, language: str) -> None:
    model = catalogue().find_model(choice.kind, choice.provider, choice.model)
    if model is None:
        names = [row.name for row in catalogue().list_models(choice.kind, choice.provider)]
        raise InvalidField(
            f"{field}.model",
            f"{choice.provider} is not known to have {_quoted(choice.model)}, but {_listed(names)};"
            " a model that is not listed needs its server's base URL",
        )
    spoken = primary_subtag(language)
    # Keys work in every language, so a menu without speech may well be in German.
    if model.languages and spoken not in model.languages and choice.provider != "builtin":
        raise InvalidField(
            f"{field}.model",
            f"{model.name} knows only {_listed(list(model.languages))}, and the agent's language is"
            f" {language}",
        )


def _check_voice(field: str, voice: str, choice: ModelChoice) -> None:
    if choice.base_url is not None:
        return
    if choice.provider == "builtin":
        try:
            check_voice(voice)
        except UnknownVoiceError as exc:
            raise InvalidField(f"{field}.voice", str(exc)) from exc
        return
    voices = catalogue().list_voices(provider=choice.provider, model=choice.model)
    if voice not in {row.id for row in voices}:
        raise InvalidField(
            f"{field}.voice",
            f"{choice.model} has no voice {_quoted(voice)}, but {_listed([v.id for v in voices])}",
        )


def _check_params(field: str, choice: ModelChoice) -> None:
    schema = PARAMS[choice.provider, choice.kind]
    try:
        schema.model_validate(choice.params)
    except ValidationError as exc:
        [error, *_] = exc.errors(include_url=False, include_context=False, include_input=False)
        name = ".".join(str(part) for part in error["loc"])
        raise InvalidField(f"{field}.params.{name}", _param_sentence(schema, error)) from exc


def _param_sentence(schema: type[Any], error: Any) -> str:
    if error["type"] != "extra_forbidden":
        return str(error["msg"])
    names = list(schema.model_fields)
    return f"not a parameter of this model, which has {_listed(names)}"


def _listed(names: list[str]) -> str:
    if not names:
        return "none"
    shown = names[:_MOST_NAMED]
    return ", ".join(shown) + (
        f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    )


def _quoted(text: str) -> str:
    return f"'{text[:60]}'"
