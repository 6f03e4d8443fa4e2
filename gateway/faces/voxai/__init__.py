"""VoxAI's API: tokens, rooms, sessions, knowledge, usage."""

import re
from typing import Final

from gateway.faces.face import Face
from gateway.faces.native.errors import native_body
from gateway.problems import problem_of

VOXAI: Final = Face(
    name="voxai",
    paths=re.compile(r"/api/v1/"),
    routers=(),
    problem_of=problem_of,
    body_of=native_body,
)
