"""Whether the process lives, and whether calls can be answered."""

from fastapi import APIRouter
from starlette.responses import Response

from gateway.auth import ApiRoute
from gateway.dependencies import ServicesOf
from gateway.faces.native.schemas.health import HealthAnswer, ReadinessAnswer

router = APIRouter(route_class=ApiRoute, tags=["Health"])


@router.get("/healthz", summary="Is the process alive?")
async def health() -> HealthAnswer:
    """Answer without asking anybody."""
    return HealthAnswer()


@router.get(
    "/readyz",
    summary="Can calls be answered?",
    responses={503: {"model": ReadinessAnswer, "description": "At least one check failed."}},
)
async def readiness(services: ServicesOf, response: Response) -> ReadinessAnswer:
    """Ask Redis, Postgres, LiveKit, the dispatch loops and the workers, all at once."""
    checks = await services.readiness.check()
    ready = all(check.ok for check in checks.values())
    response.status_code = 200 if ready else 503
    return ReadinessAnswer.model_validate(
        {"status": "ready" if ready else "not_ready", "checks": checks}
    )
