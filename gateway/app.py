"""The gateway as an ASGI application."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from dispatch.knowledge_base import MAX_DOCUMENT_BYTES
from gateway import documentation
from gateway.answer_headers import Preflight
from gateway.documentation import SWAGGER_PARAMETERS
from gateway.error_answers import install_error_handlers
from gateway.faces import FACES, face_of
from gateway.middleware import BodyLimit, RequestContext
from gateway.services import Services

OpenServices = Callable[[], AbstractAsyncContextManager[Services]]
"""Builds the services and closes them again."""

DEFAULT_MAX_BODY_BYTES: Final = 1_048_576

_UPLOADS: Final = re.compile(
    r"/(?:v1|admin/v1/projects/[^/]+)/knowledge-bases/[^/]+/documents", re.ASCII
)
_UPLOAD_BYTES: Final = MAX_DOCUMENT_BYTES + 65_536
"""A document and the form around it; it goes to a file while it comes in."""

_DESCRIPTION: Final = """
Every request of a project carries its key, as `x-api-key` or as `Authorization: Bearer`; the
administration has a key of its own. Times are RFC 3339 in UTC, amounts are whole micro-credits
(1 credit is 1,000,000), numbers are E.164. Lists are paged by `page` and `limit`. What belongs to
another project is answered like what does not exist.

Keys belong on servers: whoever has one can spend the organisation's credits. A page of another
origin can read answers only with a key that lists its domain, and without one only that the key is
missing, wrong or not for this page, that it was used too often, or that a store is away. A widget
key (`tk_widget_…`) is made for pages, works on its domains alone and opens no more than sessions.
Otherwise let your server open a voice session and hand only its `token` and `serverUrl` to the
browser.

Send an `Idempotency-Key` of your own making with a POST, and the same again if no answer comes: the
request is carried out once, and a repetition within 24 hours gets the first answer.
"""


def create_app(
    open_services: OpenServices, *, max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
) -> FastAPI:
    """Return the application; nothing is opened before its lifespan begins.

    Args:
        open_services: Builds everything the routes use, once for the life of the application.
        max_body_bytes: Longest accepted request body.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.services = services
            yield

    # As FastAPI, but the reference page comes from here: it works without the internet, and no
    # content delivery network runs scripts in a page where people type in their keys.
    app = FastAPIOffline(
        title="Dialplane",
        summary="AI agents on phone numbers, self-hosted, on LiveKit.",
        description=_DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        redoc_url=None,
        swagger_ui_parameters=SWAGGER_PARAMETERS,
        # The redirect would name whatever host the client did, and proxies' plain http.
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    # The last one added is the outermost.
    app.state.api_of = _api_of
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes, larger=((_UPLOADS, _UPLOAD_BYTES),))
    app.add_middleware(Preflight)
    app.add_middleware(RequestContext)
    routers = [*(router for face in FACES for router in face.routers), documentation.router]
    routes = [route for router in routers for route in router.routes]
    # Not by `include_router`, which would ask every router for every request.
    app.router.routes.extend(routes)
    install_error_handlers(app, routes)
    return app


@cache
def _api_of(path: str) -> str:
    """Return the API whose rate limit counts at the path of a route (of which there are few)."""
    return face_of(path).name
