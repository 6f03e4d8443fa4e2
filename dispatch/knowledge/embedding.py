"""Vectors from any server that speaks OpenAI's embeddings protocol, with the tenant's own key."""

import asyncio
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import openai
from openai import AsyncOpenAI
from openai.types import CreateEmbeddingResponse

from dispatch.billing.items import KeySource, Service, Unit, UsageItem, told_quantity
from dispatch.knowledge.errors import EmbeddingRefused, EmbeddingUnavailable
from dispatch.knowledge_base import EmbeddingModel
from dispatch.tools.model_servers import NO_KEY

MAX_BATCH: Final = 64
"""Chunks in one request: some 16,000 tokens, well below every server's limit that we know."""

MAX_DIMENSIONS: Final = 4_000
"""The longest vector that can be indexed in two bytes a number."""

_INDEXING_TIMEOUT_S: Final = 60.0
_INDEXING_RETRIES: Final = 3
"""The client repeats after 408, 409, 429, 5xx and lost connections; making a vector twice does no
harm."""

_QUERY_TIMEOUT_S: Final = 2.0
"""Somebody is waiting on the telephone, and without a vector there are still the words."""


_CHARACTERS_A_TOKEN: Final = 4
"""Of English, as OpenAI counts: taken where a server does not say."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a server made of texts."""

    vectors: Sequence[Sequence[float]]
    """Of length 1, in the texts' order."""
    used: UsageItem
    """What it took."""


class SecretsForCalls(Protocol):
    """Where keys of providers are read."""

    async def for_call(self, project_id: uuid.UUID, provider: str) -> Mapping[str, str]:
        """Return a provider's values, empty when there are none."""
        ...


class Embedder:
    """Turns texts into vectors of length 1.

    Args:
        secrets: Where the tenants' keys are.
        client: The client that all tenants' requests are made from; its own key is never used.
            Its connections go only where `dispatch.tools.addresses` lets them.
        query_timeout_s: How long the vector of a query is waited for.
    """

    def __init__(
        self,
        secrets: SecretsForCalls,
        client: AsyncOpenAI,
        query_timeout_s: float = _QUERY_TIMEOUT_S,
    ) -> None:
        self._secrets = secrets
        self._client = client
        self._query_timeout_s = query_timeout_s

    async def embed_chunks(
        self, project_id: uuid.UUID, model: EmbeddingModel, texts: Sequence[str]
    ) -> Embedded:
        """Return the vectors of at most `MAX_BATCH` texts; patient.

        Raises:
            EmbeddingUnavailable: There is no key, or the server is away or wants to be left alone.
            EmbeddingRefused: The server does not know the model or does not take the texts, or
                what it returned are no vectors.
        """
        client = await self._client_of(project_id, model)
        patient = client.with_options(timeout=_INDEXING_TIMEOUT_S, max_retries=_INDEXING_RETRIES)
        return await _embed(patient, model, texts)

    async def embed_query(
        self, project_id: uuid.UUID, model: EmbeddingModel, query: str
    ) -> Embedded:
        """Return the vector of a query, within two seconds unless told otherwise.

        Raises:
            EmbeddingUnavailable: As above, or it took too long.
            EmbeddingRefused: As above.
        """
        client = await self._client_of(project_id, model)
        hasty = client.with_options(max_retries=0)
        try:
            async with asyncio.timeout(self._query_timeout_s):
                return await _embed(hasty, model, [query])
        except TimeoutError as exc:
            raise EmbeddingUnavailable("The embedding server did not answer in time.") from exc

    async def _client_of(self, project_id: uuid.UUID, model: EmbeddingModel) -> AsyncOpenAI:
        values = await self._secrets.for_call(project_id, model.provider)
        base_url = model.base_url or values.get("base_url")
        key = values.get("api_key") or (NO_KEY if base_url else None)
        if key is None:
            raise EmbeddingUnavailable(
                f"The project keeps no api_key for {model.provider} among its secrets."
            )
        if base_url is None:
            return self._client.with_options(api_key=key)
        return self._client.with_options(api_key=key, base_url=base_url)


async def _embed(client: AsyncOpenAI, model: EmbeddingModel, texts: Sequence[str]) -> Embedded:
    try:
        # Not every server knows the packed encoding that the client would ask for.
        answer = await client.embeddings.create(
            model=model.model, input=list(texts), encoding_format="float"
        )
    except (openai.AuthenticationError, openai.PermissionDeniedError) as exc:
        raise EmbeddingUnavailable("The embedding server refused the project's key.") from exc
    except openai.RateLimitError as exc:
        raise EmbeddingUnavailable("The embedding server wants fewer requests.") from exc
    except (openai.APIConnectionError, openai.InternalServerError) as exc:
        raise EmbeddingUnavailable("The embedding server did not answer.") from exc
    except openai.NotFoundError as exc:
        raise EmbeddingRefused(f"The embedding server has no model {model.model}.") from exc
    except openai.APIStatusError as exc:
        raise EmbeddingRefused(
            f"The embedding server refused the text with status {exc.status_code}."
        ) from exc
    except (openai.OpenAIError, ValueError) as exc:
        raise EmbeddingRefused("The embedding server's answer makes no sense.") from exc
    ordered = sorted(answer.data or (), key=lambda each: each.index)
    if [each.index for each in ordered] != list(range(len(texts))):
        raise EmbeddingRefused("The embedding server did not return one vector for each text.")
    vectors = [_of_length_one(each.embedding) for each in ordered]
    if len({len(vector) for vector in vectors}) > 1:
        raise EmbeddingRefused("The embedding server returned vectors of different lengths.")
    return Embedded(vectors, _used(model, texts, answer))


def _used(
    model: EmbeddingModel, texts: Sequence[str], answer: CreateEmbeddingResponse
) -> UsageItem:
    """Return the tokens that a server says it read, or an estimate when it does not say."""
    # The client takes whatever a server sends for what the protocol has there.
    told = getattr(getattr(answer, "usage", None), "prompt_tokens", None)
    if isinstance(told, int):
        tokens = told_quantity(told)
    else:
        tokens = math.ceil(sum(map(len, texts)) / _CHARACTERS_A_TOKEN)
    # Vendors are reached with the tenant's own keys only.
    return UsageItem(
        Service.EMBEDDING, model.provider, model.model, Unit.INPUT_TOKENS, tokens, KeySource.OWN
    )


def _of_length_one(vector: Sequence[float]) -> Sequence[float]:
    if not 1 <= len(vector) <= MAX_DIMENSIONS:
        raise EmbeddingRefused(f"A vector must have 1 to {MAX_DIMENSIONS} numbers.")
    length = math.hypot(*vector)
    if not math.isfinite(length) or length == 0:
        raise EmbeddingRefused("The embedding server returned a vector without a direction.")
    return [number / length for number in vector]
