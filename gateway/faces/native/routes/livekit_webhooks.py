"""Where livekit-server tells what happens in rooms."""

from fastapi import APIRouter, Request

from gateway.auth import ApiRoute
from gateway.dependencies import ServicesOf
from gateway.faces.native.schemas.health import HealthAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(route_class=ApiRoute, tags=["LiveKit"])

_EXAMPLE = {"event": "room_finished", "room": {"name": "call_5b710eca"}, "id": "EV_5b710eca2f0d"}


@router.post(
    "/webhooks/livekit",
    summary="Receive a room event",
    responses=native_errors(401, 413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/webhook+json": {"schema": {"type": "object"}, "example": _EXAMPLE}
            },
        }
    },
)
async def receive_room_event(request: Request, services: ServicesOf) -> HealthAnswer:
    """Check the signature and take note of the event.

    When Redis does not take it the answer is 503, and LiveKit sends the event again.

    Source: livekit/protocol webhook/resource_url_notifier.go (retries on 5xx).
    """
    event = services.room_events.receive(
        await request.body(), request.headers.get("authorization", "")
    )
    await services.room_events_handler.handle(event)
    return HealthAnswer()
