"""The API of Dialplane itself: agents, calls, carriers, credits, health."""

import re
from typing import Final

from gateway.faces.face import Face
from gateway.faces.native.errors import native_body
from gateway.faces.native.routes import (
    agents,
    call_control,
    calls,
    carrier_connections,
    explain,
    health,
    knowledge,
    livekit_webhooks,
    number_behaviour,
    outbound_calls,
    secrets,
    terminations,
    tools,
    usage,
)
from gateway.problems import problem_of

NATIVE: Final = Face(
    name="native",
    paths=re.compile(r""),
    routers=(
        agents.router,
        calls.router,
        call_control.router,
        carrier_connections.router,
        explain.router,
        knowledge.router,
        livekit_webhooks.router,
        number_behaviour.router,
        outbound_calls.router,
        secrets.router,
        terminations.router,
        tools.router,
        usage.router,
        health.router,
    ),
    problem_of=problem_of,
    body_of=native_body,
)
