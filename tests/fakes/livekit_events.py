"""Webhooks signed as LiveKit signs them."""

import base64
import hashlib
import time
from dataclasses import dataclass

from google.protobuf.json_format import MessageToJson
from livekit import api
from livekit.protocol.webhook import WebhookEvent

from tests.fakes.livekit_rooms import API_KEY, API_SECRET


@dataclass(frozen=True)
class SignedWebhook:
    """A request as LiveKit would post it."""

    body: bytes
    authorization: str


def sign_webhook(
    event: WebhookEvent, *, api_key: str = API_KEY, secret: str = API_SECRET
) -> SignedWebhook:
    """Sign an event: a JWT with the SHA-256 of the exact body as a claim."""
    body = MessageToJson(event).encode()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = api.AccessToken(api_key, secret).with_sha256(digest).to_jwt()
    return SignedWebhook(body, token)


def sip_participant_event(
    event_type: str,
    room_name: str,
    *,
    identity: str = "sip_+12015550111",
    attributes: dict[str, str] | None = None,
    event_id: str = "EV_1",
) -> WebhookEvent:
    """Return `participant_joined` or `participant_left` of a SIP caller."""
    participant = api.ParticipantInfo(
        identity=identity, kind=api.ParticipantInfo.Kind.SIP, attributes=attributes or {}
    )
    return WebhookEvent(
        event=event_type,
        id=event_id,
        created_at=int(time.time()),
        room=api.Room(name=room_name, sid="RM_1"),
        participant=participant,
    )


def room_event(event_type: str, room_name: str, *, event_id: str = "EV_1") -> WebhookEvent:
    """Return `room_started` or `room_finished`."""
    return WebhookEvent(
        event=event_type,
        id=event_id,
        created_at=int(time.time()),
        room=api.Room(name=room_name, sid="RM_1"),
    )
