"""`/api/v1/knowledge/search`: passages of a knowledge base."""

from fastapi import APIRouter, Security

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, TenantRoute, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.voxai.errors import voxai_errors
from gateway.faces.voxai.schemas.knowledge import HitAnswer, SearchAnswer, SearchBody

router = APIRouter(
    route_class=TenantRoute,
    tags=["VoxAI: knowledge"],
    dependencies=[Security(key_header)],
)


@router.post(
    "/api/v1/knowledge/search",
    summary="Search a knowledge base",
    responses=voxai_errors(400, 404, 409, 413),
    dependencies=[requires(Scope.KNOWLEDGE_READ)],
)
async def search(
    body: SearchBody, principal: CurrentPrincipal, services: ServicesOf
) -> SearchAnswer:
    """Find the passages that answer best, by meaning and by words."""
    found = await services.knowledge_search.search(
        principal.project_id, body.knowledge_base_id, body.query, body.top_k
    )
    return SearchAnswer(
        results=[HitAnswer.model_validate(hit) for hit in found.hits],
        mode=found.mode,
        note=found.note,
    )
