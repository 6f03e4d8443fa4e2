"""What an agent says about its models: plain data; `dispatch.models.rules` judges it."""

from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from dispatch.blanks import NOT_BLANK, STRIPPED
from dispatch.models.catalogue import ModelKind, catalogue
from telephony.speech.espeak import DEFAULT_WORDS_PER_MINUTE

_Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    Field(json_schema_extra=NOT_BLANK),
    STRIPPED,
]

BASE_URL = r'^https?://[!"$-.0->A-~]+(/[!"$->@-~]*)?$'
"""A server, up to its version; in printable ASCII, and not with a user or a query."""


def _with_a_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError as exc:
        raise ValueError("the URL's host or port cannot be") from exc
    if not is_complete:
        raise ValueError("the URL's host or port cannot be")
    return url


_BaseUrl = Annotated[
    str,
    StringConstraints(pattern=BASE_URL, max_length=300),
    AfterValidator(_with_a_host),
]

_Secret = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class ModelChoice(BaseModel):
    """A model, whose it is, and what is set of it.

    A choice that names only its provider gets that provider's default model, written down, so that
    a later default changes no agent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClassVar[ModelKind]

    provider: _Name = "builtin"
    """`builtin`, or a vendor whose key is among the tenant's secrets."""
    model: _Name
    base_url: _BaseUrl | None = None
    """Another server that speaks the provider's protocol, up to its version: `https://host/v1`.
    With it any model and voice may be named."""
    secret: _Secret | None = None
    """Under which name the project keeps the API key; the provider's when none is given."""
    params: dict[str, JsonValue] = Field(default_factory=dict, max_length=20)
    """By the vendor's own names; see `dispatch.models.params`."""

    @property
    def key_name(self) -> str | None:
        """The secret that holds its API key; None for a provider that needs no key."""
        return None if self.provider == "builtin" else self.secret or self.provider

    @property
    def must_have_key(self) -> bool:
        """Whether it is of no use without a key; a server of one's own may ask for none."""
        return self.provider != "builtin" and (self.base_url is None or self.secret is not None)

    @model_validator(mode="before")
    @classmethod
    def _takes_defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        provider = data.get("provider", cls.model_fields["provider"].default)
        if "model" not in data and isinstance(provider, str):
            row = catalogue().default_model(cls.kind, provider)
            data = data | ({"model": row.name} if row else {})
        if "voice" in cls.model_fields and "voice" not in data and isinstance(provider, str):
            voice = catalogue().default_voice(provider, str(data.get("model")))
            data = data | ({"voice": voice.id} if voice else {})
        return data


class SttChoice(ModelChoice):
    """Who listens."""

    kind: ClassVar[ModelKind] = ModelKind.STT


class LlmChoice(ModelChoice):
    """Who thinks."""

    kind: ClassVar[ModelKind] = ModelKind.LLM


class _Speaker(ModelChoice):
    voice: _Name
    """As the provider names it; its default voice when none is given."""


class TtsChoice(_Speaker):
    """Who speaks, and in which voice."""

    kind: ClassVar[ModelKind] = ModelKind.TTS

    @property
    def words_per_minute(self) -> int:
        """How fast it speaks, about."""
        set_speed = self.params.get("words_per_minute")
        return set_speed if isinstance(set_speed, int) else DEFAULT_WORDS_PER_MINUTE


class RealtimeChoice(_Speaker):
    """Who listens, thinks and speaks in one."""

    kind: ClassVar[ModelKind] = ModelKind.STS

    provider: _Name = "openai"


class AgentModels(BaseModel):
    """An agent's models: three in a row, or one for all, or both.

    Mode `pipeline` uses the first three, `sts` the last; `hybrid` begins with the last and has the
    first three to fall back on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stt: SttChoice = SttChoice.model_validate({})
    llm: LlmChoice = LlmChoice.model_validate({})
    tts: TtsChoice = TtsChoice.model_validate({})
    realtime: RealtimeChoice | None = None

    @property
    def pipeline(self) -> tuple[ModelChoice, ...]:
        """The three models of a pipeline, in the order in which speech passes them."""
        return (self.stt, self.llm, self.tts)
