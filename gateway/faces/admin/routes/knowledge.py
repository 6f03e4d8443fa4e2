"""`/admin/v1/projects/{id}/knowledge-bases`: what the agents of any project can look up."""

import uuid

from fastapi import UploadFile
from starlette.responses import Response

from gateway.auth import CurrentAdministrator
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.faces.admin.routes.routers import admin_router
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

router = admin_router()


@router.post(
    "/admin/v1/projects/{project_id}/knowledge-bases",
    status_code=201,
    summary="Create a knowledge base",
    responses=native_errors(400, 403, 404, 409, 413),
)
async def create_knowledge_base_of_project(
    project_id: uuid.UUID,
    body: KnowledgeBaseBody,
    admin: CurrentAdministrator,
    services: ServicesOf,
    new_id: NewId,
) -> KnowledgeBaseAnswer:
    """Create an empty knowledge base; give it documents, and agents its id."""
    created = await services.knowledge_bases.create(
        admin.actor,
        project_id,
        name=body.name,
        description=body.description,
        language=body.language,
        embedding=None if body.embedding is None else body.embedding.to_model(),
        new_id=new_id,
    )
    return KnowledgeBaseAnswer.model_validate(created)


@router.get(
    "/admin/v1/projects/{project_id}/knowledge-bases",
    summary="List knowledge bases",
    responses=native_errors(400, 404),
)
async def list_knowledge_bases_of_project(
    project_id: uuid.UUID, page: RequestedPage, services: ServicesOf
) -> PageAnswer[KnowledgeBaseAnswer]:
    """List a project's knowledge bases, newest first."""
    found = await services.knowledge_bases.list(project_id, page)
    return PageAnswer[KnowledgeBaseAnswer].of(found)


@router.get(
    "/admin/v1/projects/{project_id}/knowledge-bases/{knowledge_base_id}",
    summary="Get a knowledge base",
    responses=native_errors(404),
)
async def get_knowledge_base_of_project(
    project_id: uuid.UUID, knowledge_base_id: uuid.UUID, services: ServicesOf
) -> KnowledgeBaseAnswer:
    """Return one knowledge base."""
    found = await services.knowledge_bases.get(project_id, knowledge_base_id)
    return KnowledgeBaseAnswer.model_validate(found)


@router.patch(
    "/admin/v1/projects/{project_id}/knowledge-bases/{knowledge_base_id}",
    summary="Change a knowledge base",
    responses=native_errors(400, 403, 404, 413),
)
async def patch_knowledge_base_of_project(
    project_id: uuid.UUID,
    knowledge_base_id: uuid.UUID,
    body: KnowledgeBasePatch,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> KnowledgeBaseAnswer:
    """Change the fields that are sent; with another model all vectors are made anew."""
    changed = await services.knowledge_bases.patch(
        admin.actor, project_id, knowledge_base_id, body.changes()
    )
    return KnowledgeBaseAnswer.model_validate(changed)


@router.delete(
    "/admin/v1/projects/{project_id}/knowledge-bases/{knowledge_base_id}",
    status_code=204,
    summary="Delete a knowledge base",
    responses=native_errors(403, 404),
)
async def delete_knowledge_base_of_project(
    project_id: uuid.UUID,
    knowledge_base_id: uuid.UUID,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> Response:
    """Delete a knowledge base with its documents; its agents find nothing in it any more."""
    await services.knowledge_bases.delete(admin.actor, project_id, knowledge_base_id)
    return Response(status_code=204)


@router.post(
    "/admin/v1/projects/{project_id}/knowledge-bases/{knowledge_base_id}/search",
    summary="Search a knowledge base",
    responses=native_errors(400, 403, 404, 409, 413),
)
async def search_knowledge_base_of_project(
    project_id: uuid.UUID,
    knowledge_base_id: uuid.UUID,
    body: SearchBody,
    services: ServicesOf,
) -> SearchAnswer:
    """Find passages, as an agent's tool `search_knowledge` would."""
    found = await services.knowledge_search.search(
        project_id, knowledge_base_id, body.query, body.top_k
    )
    return SearchAnswer.model_validate(found)


@router.post(
    "/admin/v1/projects/{project_id}/knowledge-bases/{knowledge_base_id}/documents",
    status_code=201,
    summary="Upload a document",
    responses={
        **native_errors(400, 403, 404, 413),
        200: {"model": DocumentAnswer, "description": "The same bytes were there already."},
    },
)
async def upload_document_of_project(
    project_id: uuid.UUID,
    knowledge_base_id: uuid.UUID,
    file: UploadFile,
    admin: CurrentAdministrator,
    services: ServicesOf,
    new_id: NewId,
    response: Response,
) -> DocumentAnswer:
    """Upload a PDF, DOCX, Markdown, TXT, CSV or HTML file of at most 50 MB.

    It is read in the background; ask for the document to see how far it is.
    """
    document = await services.documents.upload(
        admin.actor,
        project_id,
        knowledge_base_id,
        name=file.filename or "",
        file=file.file,
        new_id=new_id,
    )
    if document.id != new_id:
        response.status_code = 200
    return DocumentAnswer.model_validate(document)


@router.get(
    "/admin/v1/projects/{project_id}/knowledge-bases/{knowledge_base_id}/documents",
    summary="List a knowledge base's documents",
    responses=native_errors(400, 404),
)
async def list_documents_of_project(
    project_id: uuid.UUID,
    knowledge_base_id: uuid.UUID,
    page: RequestedPage,
    services: ServicesOf,
) -> PageAnswer[DocumentAnswer]:
    """List the documents and how far each is, newest first."""
    found = await services.documents.list(project_id, knowledge_base_id, page)
    return PageAnswer[DocumentAnswer].of(found)


@router.get(
    "/admin/v1/projects/{project_id}/knowledge-bases/{knowledge_base_id}/documents/{document_id}",
    summary="Get a document",
    responses=native_errors(404),
)
async def get_document_of_project(
    project_id: uuid.UUID,
    knowledge_base_id: uuid.UUID,
    document_id: uuid.UUID,
    services: ServicesOf,
) -> DocumentAnswer:
    """Return a document and how far it is."""
    found = await services.documents.get(project_id, knowledge_base_id, document_id)
    return DocumentAnswer.model_validate(found)


@router.delete(
    "/admin/v1/projects/{project_id}/knowledge-bases/{knowledge_base_id}/documents/{document_id}",
    status_code=204,
    summary="Delete a document",
    responses=native_errors(403, 404),
)
async def delete_document_of_project(
    project_id: uuid.UUID,
    knowledge_base_id: uuid.UUID,
    document_id: uuid.UUID,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> Response:
    """Delete a document; nothing of it is found any more."""
    await services.documents.delete(admin.actor, project_id, knowledge_base_id, document_id)
    return Response(status_code=204)
