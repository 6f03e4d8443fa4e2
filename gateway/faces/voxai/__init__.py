"""VoxAI's API: tokens, agents, rooms, sessions, knowledge, usage, secrets.

Source of its contract: VoxAI's API page. Shapes it does not publish are ours.
"""

import re
from typing import Final

from gateway.faces.face import Face
from gateway.faces.voxai.errors import voxai_body, voxai_problem_of
from gateway.faces.voxai.routes import agents, knowledge, rooms, secrets, sessions, tokens, usage

VOXAI: Final = Face(
    name="voxai",
    paths=re.compile(r"/api/v1/(?!(phone-numbers|chat)\b)"),
    routers=(
        tokens.router,
        agents.router,
        rooms.router,
        sessions.router,
        knowledge.router,
        usage.router,
        secrets.router,
    ),
    problem_of=voxai_problem_of,
    body_of=voxai_body,
)
