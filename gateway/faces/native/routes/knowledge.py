"""`/v1/knowledge-bases`: what agents can look up."""

import uuid

from fastapi import APIRouter, Security, UploadFile
from starlette.responses import Response

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors
from gateway.schemas.knowledge import (
    DocumentAnswer,
    KnowledgeBaseAnswer,
    KnowledgeBaseBody,
    KnowledgeBasePatch,
    SearchAnswer,
    SearchBody,
)

router = APIRouter(
    route_class=NativeRoute,
    tags=["Knowledge"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)

_READ = requires(Scope.KNOWLEDGE_READ)
_WRITE = requires(Scope.KNOWLEDGE_WRITE)


@router.post(
    "/v1/knowledge-bases",
    status_code=201,
    summary="Create a knowledge base",
    dependencies=[_WRITE],
    responses=native_errors(400, 409, 413),
)
async def create_knowledge_base(
    body: KnowledgeBaseBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> KnowledgeBaseAnswer:
    """Create an empty knowledge base; give it documents, and agents its id."""
    created = await services.knowledge_bases.create(
        principal.actor,
        principal.project_id,
        name=body.name,
        description=body.description,
        language=body.language,
        embedding=None if body.embedding is None else body.embedding.to_model(),
        new_id=new_id,
        scopes=principal.scopes,
    )
    return KnowledgeBaseAnswer.model_validate(created)


@router.get(
    "/v1/knowledge-bases",
    summary="List knowledge bases",
    dependencies=[_READ],
    responses=native_errors(400),
)
async def list_knowledge_bases(
    page: RequestedPage, principal: CurrentPrincipal, services: ServicesOf
) -> PageAnswer[KnowledgeBaseAnswer]:
    """List the project's knowledge bases, newest first."""
    found = await services.knowledge_bases.list(principal.project_id, page)
    return PageAnswer[KnowledgeBaseAnswer].of(found)


@router.get(
    "/v1/knowledge-bases/{knowledge_base_id}",
    summary="Get a knowledge base",
    dependencies=[_READ],
    responses=native_errors(404),
)
async def get_knowledge_base(
    knowledge_base_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> KnowledgeBaseAnswer:
    """Return one knowledge base."""
    found = await services.knowledge_bases.get(principal.project_id, knowledge_base_id)
    return KnowledgeBaseAnswer.model_validate(found)


@router.patch(
    "/v1/knowledge-bases/{knowledge_base_id}",
    summary="Change a knowledge base",
    dependencies=[_WRITE],
    responses=native_errors(400, 404, 413),
)
async def patch_knowledge_base(
    knowledge_base_id: uuid.UUID,
    body: KnowledgeBasePatch,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> KnowledgeBaseAnswer:
    """Change the fields that are sent; with another model all vectors are made anew."""
    changed = await services.knowledge_bases.patch(
        principal.actor,
        principal.project_id,
        knowledge_base_id,
        body.changes(),
        principal.scopes,
    )
    return KnowledgeBaseAnswer.model_validate(changed)


@router.delete(
    "/v1/knowledge-bases/{knowledge_base_id}",
    status_code=204,
    summary="Delete a knowledge base",
    dependencies=[_WRITE],
    responses=native_errors(404),
)
async def delete_knowledge_base(
    knowledge_base_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> Response:
    """Delete a knowledge base with its documents; its agents find nothing in it any more."""
    await services.knowledge_bases.delete(principal.actor, principal.project_id, knowledge_base_id)
    return Response(status_code=204)


@router.post(
    "/v1/knowledge-bases/{knowledge_base_id}/search",
    summary="Search a knowledge base",
    dependencies=[_READ],
    responses=native_errors(400, 404, 409, 413),
)
async def search_knowledge_base(
    knowledge_base_id: uuid.UUID,
    body: SearchBody,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> SearchAnswer:
    """Find passages, as an agent's tool `search_knowledge` would."""
    found = await services.knowledge_search.search(
        principal.project_id, knowledge_base_id, body.query, body.top_k
    )
    return SearchAnswer.model_validate(found)


@router.post(
    "/v1/knowledge-bases/{knowledge_base_id}/documents",
    status_code=201,
    summary="Upload a document",
    dependencies=[_WRITE],
    responses={
        **native_errors(400, 404, 413),
        200: {"model": DocumentAnswer, "description": "The same bytes were there already."},
    },
)
async def upload_document(
    knowledge_base_id: uuid.UUID,
    file: UploadFile,
    principal: CurrentPrincipal,
    services: ServicesOf,
    new_id: NewId,
    response: Response,
) -> DocumentAnswer:
    """Upload a PDF, DOCX, Markdown, TXT, CSV or HTML file of at most 50 MB.

    It is read in the background; ask for the document to see how far it is. The same bytes are kept
    once, so an upload may be repeated without an `Idempotency-Key`.
    """
    document = await services.documents.upload(
        principal.actor,
        principal.project_id,
        knowledge_base_id,
        name=file.filename or "",
        file=file.file,
        new_id=new_id,
    )
    if document.id != new_id:
        response.status_code = 200
    return DocumentAnswer.model_validate(document)


@router.get(
    "/v1/knowledge-bases/{knowledge_base_id}/documents",
    summary="List a knowledge base's documents",
    dependencies=[_READ],
    responses=native_errors(400, 404),
)
async def list_documents(
    knowledge_base_id: uuid.UUID,
    page: RequestedPage,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> PageAnswer[DocumentAnswer]:
    """List the documents and how far each is, newest first."""
    found = await services.documents.list(principal.project_id, knowledge_base_id, page)
    return PageAnswer[DocumentAnswer].of(found)


@router.get(
    "/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}",
    summary="Get a document",
    dependencies=[_READ],
    responses=native_errors(404),
)
async def get_document(
    knowledge_base_id: uuid.UUID,
    document_id: uuid.UUID,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> DocumentAnswer:
    """Return a document and how far it is."""
    found = await services.documents.get(principal.project_id, knowledge_base_id, document_id)
    return DocumentAnswer.model_validate(found)


@router.delete(
    "/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}",
    status_code=204,
    summary="Delete a document",
    dependencies=[_WRITE],
    responses=native_errors(404),
)
async def delete_document(
    knowledge_base_id: uuid.UUID,
    document_id: uuid.UUID,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> Response:
    """Delete a document; nothing of it is found any more."""
    await services.documents.delete(
        principal.actor, principal.project_id, knowledge_base_id, document_id
    )
    return Response(status_code=204)
