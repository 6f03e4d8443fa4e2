"""LiveKit's signed webhooks: bytes in, a verified typed event out."""

from datetime import UTC, datetime

from livekit import api

from telephony.adapters.livekit_rooms import observed_participant
from telephony.errors import InvalidWebhook
from telephony.ports import RoomEvent


class LiveKitRoomEvents:
    """`telephony.ports.RoomEvents` over LiveKit's webhook receiver.

    Args:
        api_key: The key LiveKit signs its webhooks with.
        secret: Its secret.
    """

    def __init__(self, api_key: str, secret: str) -> None:
        self._receiver = api.WebhookReceiver(api.TokenVerifier(api_key, secret))

    def receive(self, body: bytes, authorization: str) -> RoomEvent:
        """Check the signature over the exact body and return the event.

        Args:
            body: The request's body, byte for byte.
            authorization: The `Authorization` header: a bare JWT, as LiveKit sends it.

        Raises:
            InvalidWebhook: Signature, hash or body is wrong.

        Source: livekit/protocol webhook/url_notifier.go (JWT with the body's SHA-256 as a claim).
        """
        try:
            event = self._receiver.receive(body.decode(), authorization)
        except Exception as exc:
            # The SDK raises a bare Exception for a wrong hash, and PyJWT's and protobuf's own kinds
            # for the rest: whatever it was, nothing in this body may be used.
            raise InvalidWebhook("The webhook's signature, hash or body is wrong.") from exc
        participant = event.participant if event.HasField("participant") else None
        return RoomEvent(
            event_id=event.id,
            type=event.event,
            at=datetime.fromtimestamp(event.created_at, UTC),
            room_name=event.room.name,
            room_sid=event.room.sid,
            participant=observed_participant(participant) if participant else None,
        )
