"""What routes ask for by type: the services, who is calling, and a page of a list."""

import uuid
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, StringConstraints

from dispatch.errors import NotFound
from dispatch.paging import DEFAULT_LIMIT, MAX_LIMIT, PageRequest
from gateway.services import Services, services_of
from telephony.e164 import E164, parse_e164
from telephony.errors import InvalidNumber

MAX_PAGE = 1_000_000


def _plus_not_space(text: str) -> str:
    # An unescaped plus in a query arrives as a space, and every number here begins with one.
    return "+" + text[1:] if text.startswith(" ") else text


NumberFilter = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_plus_not_space),
]
"""A phone number in a query string."""


async def _services(request: Request) -> Services:
    # A coroutine, because FastAPI sends plain functions to a thread.
    return services_of(request)


ServicesOf = Annotated[Services, Depends(_services)]


async def _page_request(
    page: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Page of the list, from 1.")] = 1,
    limit: Annotated[
        int, Query(description=f"Entries on a page; brought within 1 to {MAX_LIMIT}.")
    ] = DEFAULT_LIMIT,
) -> PageRequest:
    return PageRequest(page=page, limit=min(max(limit, 1), MAX_LIMIT))


RequestedPage = Annotated[PageRequest, Depends(_page_request)]


def path_number(text: str) -> E164:
    """Return the number a path names.

    Raises:
        NotFound: It is no number.
    """
    try:
        return parse_e164(text)
    except InvalidNumber as exc:
        # What is no number cannot be one of the project's numbers.
        raise NotFound("phone number", text) from exc


def new_id_of(request: Request) -> uuid.UUID:
    """Return `NewId` of a request."""
    derived: uuid.UUID | None = getattr(request.state, "new_id", None)
    return derived or uuid.uuid4()


async def _new_id(request: Request) -> uuid.UUID:
    return new_id_of(request)


NewId = Annotated[uuid.UUID, Depends(_new_id)]
"""The id for what this request creates.

With an `Idempotency-Key` it follows from the tenant, that key and the request, so that a repetition
creates nothing twice, whatever became of the first answer. Hence every use case that creates takes
its id and is idempotent by it.
"""


async def _new_seed(request: Request) -> bytes | None:
    seed: bytes | None = getattr(request.state, "new_seed", None)
    return seed


NewSeed = Annotated[bytes | None, Depends(_new_seed)]
"""32 secret bytes for a secret that this request creates, the same for its repetitions; None
without an `Idempotency-Key`, and then the secret is random."""
