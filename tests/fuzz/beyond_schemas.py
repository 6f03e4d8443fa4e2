"""What a JSON Schema cannot say: requests that fit theirs and are refused for a rule in words.

The schemas tell types, lengths, patterns, what is required, and rules between fields of one body.
What is left is told in the field's description and in the refusal, and listed here with the reason
why no schema can say it. A refusal that is not listed is an error of the schema.
"""

import re
from typing import Any, Final

_EVERY_TEXT = "Postgres keeps no NUL; a pattern in each of a thousand texts would say it."
_STORED = "It depends on what else is stored."
_CLOCK = "It depends on the time."
_SETTING = "It depends on the installation's settings."
_NUMBERING = "The world's numbering plans."
_CATALOGUE = "The lists of models and voices are data, with paths of their own."
_TOGETHER = "Whether an agent's models, mode, language and script fit is judged with those lists."
_CALENDARS = "Names of time zones and of calendars of holidays are other people's lists."
_TWO_VALUES = "It compares two values."
_LANGUAGE = "A whole language: JSON Schema, URLs, networks, Unicode's classes of characters."
_PART = "A schema limits the length of a text, and not of a part of it."
_FORM = "The name of a file is no part of a form's schema."

_RULES: Final[dict[str, str]] = {
    "may not hold a NUL character": _EVERY_TEXT,
    "no NUL among them": _EVERY_TEXT,
    "pauses last": "It adds up what the text stands for.",
    # What the request names exists, but does not go together with the rest of the request.
    "The agent is inactive": _STORED,
    "Agent must be Pipeline or Realtime": _STORED,
    "The carrier connection's provider is": _STORED,
    "Say which number to call from": _STORED,
    "The project has (no|several) (agent|carrier|knowledge base|phone number|tool)": _STORED,
    "A password goes with a user name": _STORED,
    "is needed when welcomeMode is": _STORED,
    "From where .* may call in is not known here": _SETTING,
    "Tools are called over https": _SETTING,
    "must lie in the future": _CLOCK,
    "is more than 5 minutes in the past": _CLOCK,
    "must not lie before": _TWO_VALUES,
    "A number cannot call itself": _TWO_VALUES,
    "which is not allowed here": _TWO_VALUES,
    "already belongs to steps": _TWO_VALUES,
    "there is no menu": _TWO_VALUES,
    "An agent cannot hand over to itself": _TWO_VALUES,
    "Invalid phone number format": _NUMBERING,
    "Not a (possible )?phone number": _NUMBERING,
    "no (LLM|STT|TTS|STS) model has this id or name": _CATALOGUE,
    "is not known to have": _CATALOGUE,
    "not a parameter of this model": _CATALOGUE,
    "a script makes nothing up": _TOGETHER,
    "the agent has nothing to look in": _TOGETHER,
    "the builtin recognition understands only": _TOGETHER,
    "is needed in the modes sts and hybrid": _TOGETHER,
    "has no voice": _CATALOGUE,
    "unknown voice": _CATALOGUE,
    r"models\.\w+\.voice is required": _CATALOGUE,
    "cannot pass calls on to itself": _TWO_VALUES,
    "must differ from opens": _TWO_VALUES,
    "the same date stands there twice": _TWO_VALUES,
    "The target is (a|in a) ": _NUMBERING,
    "no such time zone in the IANA database": _CALENDARS,
    "no country of this code": _CALENDARS,
    "It is none of .*'s subdivisions": _CALENDARS,
    "not a JSON Schema": _LANGUAGE,
    "the URL's host or port cannot be": _LANGUAGE,
    "at least one letter or digit": _LANGUAGE,
    "none of them a control character": _LANGUAGE,
    "other control characters": _LANGUAGE,
    "Not an IP address or a CIDR range": _LANGUAGE,
    "The target's host is longer than": _PART,
    "the name must end in one": _FORM,
}
"""What a refusal says, as a pattern, and why it is not in the schema."""

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
