"""Agntix's API: voice sessions, phone numbers, agents, chat."""

import re
from typing import Final

from gateway.faces.agntix.errors import agntix_body, agntix_problem_of
from gateway.faces.agntix.routes import (
    agents,
    api_keys,
    catalogue,
    chat,
    outbound_calls,
    past_sessions,
    phone_numbers,
    reports,
    tools,
    voice_sessions,
)
from gateway.faces.face import Face

AGNTIX: Final = Face(
    name="agntix",
    paths=re.compile(r"/v1/voice/|/v1/chat/|/v2/chat/|/api/v1/(phone-numbers|chat)\b"),
    routers=(
        voice_sessions.router,
        catalogue.router,
        phone_numbers.router,
        outbound_calls.router,
        agents.router,
        chat.router,
        tools.router,
        api_keys.router,
        reports.router,
        past_sessions.router,
    ),
    problem_of=agntix_problem_of,
    body_of=agntix_body,
)
