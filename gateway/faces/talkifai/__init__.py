"""TalkifAI's API: voice and chat sessions, phone numbers."""

import re
from typing import Final

from gateway.faces.face import Face
from gateway.faces.talkifai.errors import talkifai_body, talkifai_problem_of
from gateway.faces.talkifai.routes import voice_sessions

TALKIFAI: Final = Face(
    name="talkifai",
    paths=re.compile(r"/v1/chat/(voice-sessions|sessions)\b|/v1/byoc/|/v1/phone-numbers(/[^/]*)?$"),
    routers=(voice_sessions.router,),
    problem_of=talkifai_problem_of,
    body_of=talkifai_body,
)
