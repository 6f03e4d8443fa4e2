"""The receiver of LiveKit's webhooks, sent what is signed and makes no sense."""

import base64
import hashlib
import json
import time
from typing import Any

import jwt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.livekit_rooms import API_KEY, API_SECRET
from tests.fuzz.conftest import Target
from tests.fuzz.test_openapi import EXAMPLES, pytestmark

__all__ = ["pytestmark"]

_TEXT = st.text(max_size=30)
_THING = st.dictionaries(
    st.sampled_from(["name", "sid", "identity", "attributes", "kind", "numParticipants", "state"]),
    _TEXT | st.integers() | st.none() | st.dictionaries(_TEXT, _TEXT, max_size=3),
)
_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(["room_started", "room_finished", "participant_joined"]) | _TEXT,
        "room": _THING | _TEXT,
        "participant": _THING | st.none(),
        "id": _TEXT,
        "createdAt": st.integers() | _TEXT,
        "unknown": _THING,
    },
)


@given(event=_EVENTS | st.lists(_TEXT) | st.none(), noise=st.binary(max_size=5))
@settings(
    max_examples=max(20, 4 * EXAMPLES),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_a_signed_event_is_taken_or_refused(event: Any, noise: bytes, target: Target):
    body = json.dumps(event).encode() + noise
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = {"iss": API_KEY, "exp": int(time.time()) + 60, "sha256": digest}
    headers = {
        "authorization": jwt.encode(claims, API_SECRET, algorithm="HS256"),
        "content-type": "application/webhook+json",
    }
    answer = target.http.post("/webhooks/livekit", content=body, headers=headers)
    assert answer.status_code in {200, 400, 401}, answer.text
