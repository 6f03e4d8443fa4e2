"""What a JSON Schema cannot say: requests that fit theirs and are refused for a rule in words.

The schemas here tell types, lengths, patterns and what is required. Rules between two fields, of
whole grammars (numbers, networks, URLs that may be called), or about the world (a moment that must
lie ahead) are told in the field's description and in the refusal. Every such refusal is listed
here; one that is not is an error of the schema.
"""

import re
from typing import Any, Final

_RULES: Final = (
    "A password goes with a user name",
    "send scopes or permissions, not both",
    "must lie in the future",
    "A number cannot call itself",
    "Invalid phone number format",
    "must start with \\+ and its country code",
    "must not lie before",
    "leave the agents away, or no_agent",
    # What Postgres cannot keep, in any text.
    "may not hold a NUL character",
    "no NUL among them",
    # What the request names exists, but does not go together with the rest of the request.
    "The agent is inactive",
    "Agent must be Pipeline or Realtime",
    "The carrier connection's provider is",
    "From where .* may call in is not known here",
    "no (LLM|STT|TTS|STS) model has this id or name",
    "there is no (LLM|STT|TTS|STS) model of this id",
    "builtin runs here and has no base URL",
    "is none of builtin, deepgram, openai",
    "is not known to have",
    "unknown voice",
    "which is not allowed here",
    "Say which number to call from",
    "The project has no (agent|knowledge base|tool)",
    "is needed when",
    "a step needs phrases or keys",
    "action names exactly one tool",
    "a GET has none",
    "otherwise anybody could call in",
    # Empty means nothing was said, which only one of two fields may do.
    "A user name and a password go together",
    "1 to 255 characters",
    "A widget key needs the domains of its pages",
    # Grammars.
    "allowedOrigins holds domains",
    "must be the carrier's host",
    "a header's name has",
    "keys are pressed in one go",
    "no key to send",
    "a DTMF key is one of",
    "provider must be one word",
    "not a URL",
    "not an absolute https:// URL",
    "not a JSON Schema",
    "the schema of a function's arguments has",
    "the name must end in one",
    "A value's name has lower-case letters",
    "a pattern is a number",
)

_RULE: Final = re.compile("|".join(_RULES))


def is_beyond_its_schema(response: Any) -> bool:
    """Whether a request was refused for nothing but rules that no schema can say."""
    if response.status_code != 400:
        return False
    told = _sentences(response.json())
    return bool(told) and all(_RULE.search(sentence) for sentence in told)


def _sentences(body: dict[str, Any]) -> list[str]:
    error = body.get("error")
    if isinstance(error, dict):
        details = error.get("details") or [error]
        return [each["message"] for each in details]
    details = body.get("details")
    if isinstance(details, dict) and details:
        return [str(message) for message in details.values()]
    return [str(body.get("error") or body.get("detail") or body.get("message"))]
