"""The reference pages: one for everything, one for each API, all of them served from here.

Each page has one box for the key (Authorize), and sends real requests with it (Try it out).
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from gateway.faces import FACES, face_of
from gateway.faces.face import Face
from gateway.postman import postman_collection

SWAGGER_PARAMETERS: Final = {"persistAuthorization": True, "tryItOutEnabled": True}

_STATIC: Final = "/static-offline-docs"
_REFERENCE: Final = re.compile(r"#/components/schemas/(.+)")
_POSTMAN_FACE: Final = "voxai"
"""The product whose clients know `/docs/api` and the collection beside it."""

_NO_KEY: Final = "YOUR_API_KEY"
"""What VoxAI's collection says where the caller's key would be."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def front_door(request: Request) -> Response:
    """Send whoever opens the bare address in a browser to the reference."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")


@router.get("/docs/api")
async def voxai_page(request: Request) -> Response:
    """Return VoxAI's reference page at the place where its clients look for it."""
    return _page(request, _face(_POSTMAN_FACE))


@router.get("/docs/api/postman")
async def voxai_collection(request: Request) -> Response:
    """Return VoxAI's API as a Postman collection, filled with the caller's address and key."""
    collection = postman_collection(
        described(request.app, _face(_POSTMAN_FACE)),
        name="Voxai API",
        base_url=str(request.base_url).rstrip("/"),
        api_key=request.headers.get("x-api-key", _NO_KEY),
    )
    disposition = 'attachment; filename="voxai.postman_collection.json"'
    return JSONResponse(collection, headers={"Content-Disposition": disposition})


@router.get("/docs/{name}")
async def face_page(name: str, request: Request) -> Response:
    """Return the reference page of one API."""
    return _page(request, _face(name))


@router.get("/openapi/{name}.json")
async def face_description(name: str, request: Request) -> Response:
    """Return the OpenAPI description of one API."""
    description = described(request.app, _face(name))
    if name == _POSTMAN_FACE:
        at = f"{request.scope.get('root_path', '')}/docs/api/postman"
        link = f"[Download for Postman]({at})"
        description["info"] |= {"description": f"{link}\n\n{description['info']['description']}"}
    return JSONResponse(description)


def described(app: FastAPI, face: Face) -> dict[str, Any]:
    """Return the application's OpenAPI description, of one API only."""
    whole = app.openapi()
    paths = {path: item for path, item in whole["paths"].items() if face_of(path) is face}
    schemas = whole["components"]["schemas"]
    used: set[str] = set()
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting.extend(_references(schemas[name]))
    asked = set(_security_schemes(paths))
    ways = whole["components"].get("securitySchemes", {})
    return whole | {
        "info": whole["info"] | {"title": f"{app.title}: {face.name}"},
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name in used},
            "securitySchemes": {name: way for name, way in ways.items() if name in asked},
        },
    }


def _security_schemes(paths: dict[str, Any]) -> Iterator[str]:
    for item in paths.values():
        for operation in item.values():
            for way in operation.get("security", ()):
                yield from way


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str) and (found := _REFERENCE.fullmatch(item)):
                yield found[1]
            else:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _face(name: str) -> Face:
    for face in FACES:
        if face.name == name:
            return face
    raise HTTPException(404)


def _page(request: Request, face: Face) -> HTMLResponse:
    root = request.scope.get("root_path", "")
    return get_swagger_ui_html(
        openapi_url=f"{root}/openapi/{face.name}.json",
        title=f"{request.app.title}: {face.name}",
        swagger_js_url=f"{root}{_STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{_STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{root}{_STATIC}/favicon.png",
        swagger_ui_parameters=SWAGGER_PARAMETERS,
    )
