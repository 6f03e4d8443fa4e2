"""Agntix's API: voice sessions, phone numbers, agents, chat."""

import re
from typing import Final

from gateway.faces.agntix.routes import catalogue, phone_numbers, voice_sessions
from gateway.faces.face import Face
from gateway.faces.native.errors import native_body
from gateway.problems import problem_of

AGNTIX: Final = Face(
    name="agntix",
    paths=re.compile(r"/v1/voice/|/v1/chat/|/v2/chat/|/api/v1/(phone-numbers|chat)\b"),
    routers=(voice_sessions.router, catalogue.router, phone_numbers.router),
    problem_of=problem_of,
    body_of=native_body,
)
