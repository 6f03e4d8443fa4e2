"""TalkifAI's API: voice and chat sessions, phone numbers."""

import re
from typing import Final

from gateway.faces.face import Face
from gateway.faces.talkifai.call_errors import calls_problem_of
from gateway.faces.talkifai.errors import (
    chat_problem_of,
    ending_problem_of,
    numbers_problem_of,
    opening_problem_of,
    talkifai_body,
    voice_problem_of,
)
from gateway.faces.talkifai.routes import (
    chat_sessions,
    outbound_calls,
    phone_numbers,
    voice_sessions,
)
from gateway.problems import Problem

_WORDINGS: Final = (
    (re.compile(r"/telephony/"), calls_problem_of),
    (re.compile(r"/v1/chat/voice-sessions"), voice_problem_of),
    (re.compile(r"/v1/chat/sessions/?$"), opening_problem_of),
    (re.compile(r"/v1/chat/sessions/[^/]*/end$"), ending_problem_of),
    (re.compile(r"/v1/chat/sessions"), chat_problem_of),
)


class _Talkifai(Face):
    """A face that words the same error differently from one endpoint to the next."""

    def problem_at(self, path: str, error: Exception) -> Problem:
        """Return how an error is answered at a path."""
        for paths, problem_of in _WORDINGS:
            if paths.match(path):
                return problem_of(error)
        return self.problem_of(error)


TALKIFAI: Final = _Talkifai(
    name="talkifai",
    paths=re.compile(
        r"/v1/chat/(voice-sessions|sessions)\b|/v1/byoc/|/v1/phone-numbers(/[^/]*)?$|/telephony/"
    ),
    routers=(
        voice_sessions.router,
        chat_sessions.opening_router,
        chat_sessions.session_router,
        phone_numbers.router,
        outbound_calls.router,
    ),
    problem_of=numbers_problem_of,
    body_of=talkifai_body,
)
