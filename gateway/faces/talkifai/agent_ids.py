"""Agents as TalkifAI's clients name them."""

import uuid

from dispatch.errors import NotFound


def parse_agent_id(text: str) -> uuid.UUID:
    """Return an agent's id; TalkifAI's ids are opaque text, so any text may come.

    Raises:
        NotFound: It is no id of ours: an agent nobody has.
    """
    try:
        return uuid.UUID(text)
    except ValueError as exc:
        raise NotFound("agent", text) from exc
