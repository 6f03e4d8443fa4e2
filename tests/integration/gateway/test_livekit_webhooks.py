"""The receiver of LiveKit's webhooks."""

import pytest

from dispatch.calls import call_id_of_sip_room
from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient
from tests.fakes.livekit_events import SignedWebhook, sign_webhook, sip_participant_event
from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration

ROOM = "call_+12015550100_abcd"


def arriving(**how: str) -> SignedWebhook:
    event = sip_participant_event(
        "participant_joined",
        ROOM,
        attributes={
            "sip.trunkPhoneNumber": "+12015550100",
            "sip.phoneNumber": "+12015550123",
            "sip.callID": "SCL_1",
        },
    )
    return sign_webhook(event, **how)


def headers_of(webhook: SignedWebhook) -> dict[str, str]:
    return {
        "authorization": webhook.authorization,
        "content-type": "application/webhook+json",
    }


async def test_an_arriving_caller_is_put_on_record(gateway: Gateway, redis: RedisClient):
    webhook = arriving()
    answer = await gateway.http.post(
        "/webhooks/livekit", content=webhook.body, headers=headers_of(webhook)
    )
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    ringing = await redis.zrange(redis_keys.CALLS_RINGING, 0, -1)
    assert ringing == [str(call_id_of_sip_room(ROOM))]


async def test_the_same_event_sent_again_changes_nothing(gateway: Gateway, redis: RedisClient):
    webhook = arriving()
    for _ in range(2):
        answer = await gateway.http.post(
            "/webhooks/livekit", content=webhook.body, headers=headers_of(webhook)
        )
        assert answer.status_code == 200
    assert await redis.xlen(redis_keys.EVENTS) == 1


@pytest.mark.parametrize("spoilt", ["signature", "body", "missing"])
async def test_a_wrong_signature_is_refused(gateway: Gateway, redis: RedisClient, spoilt: str):
    webhook = (
        arriving(secret="another-secret-of-at-least-32-bytes-x")
        if (spoilt == "signature")
        else arriving()
    )
    headers = {} if spoilt == "missing" else headers_of(webhook)
    body = webhook.body + b" " if spoilt == "body" else webhook.body
    answer = await gateway.http.post("/webhooks/livekit", content=body, headers=headers)
    assert error_of(answer) == (401, "UNAUTHORIZED", "The webhook's signature is wrong.")
    assert await redis.xlen(redis_keys.EVENTS) == 0


async def test_a_tenant_key_is_no_signature(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/webhooks/livekit", content=arriving().body)
    assert answer.status_code == 401


async def test_livekit_is_asked_to_try_again_while_redis_is_down(gateway_without_redis: Gateway):
    webhook = arriving()
    answer = await gateway_without_redis.http.post(
        "/webhooks/livekit", content=webhook.body, headers=headers_of(webhook)
    )
    assert error_of(answer)[:2] == (503, "UNAVAILABLE")
