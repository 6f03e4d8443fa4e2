"""Tokens with which a browser takes part in one chat, and in nothing else.

A token is signed, not stored: it is good for one conversation and dies with it, because every use
looks the conversation up.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

import jwt
from pydantic import SecretStr

from dispatch.conversations import Conversation

LIFE: Final = timedelta(hours=24)
"""Source: TalkifAI."""

_ALGORITHM: Final = "HS256"
_AUDIENCE: Final = "dialplane-chat"
"""Keeps a token from being taken for one of another kind that was signed with the same key."""


class InvalidSessionToken(Exception):
    """The token is missing, malformed, forged, for something else, or has expired."""


class SessionTokens:
    """Makes and reads session tokens.

    Args:
        key: The signing key; all gateways of an installation must have the same.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of_settings(cls, key: SecretStr | None, pepper: SecretStr) -> "SessionTokens":
        """Return the tokens of an installation: signed by its own key, or one made of its pepper.

        Args:
            key: `DIALPLANE_SESSION_TOKEN_KEY`.
            pepper: `DIALPLANE_KEY_PEPPER`, a secret that every gateway has.
        """
        if key is not None:
            return cls(key.get_secret_value().encode())
        secret = pepper.get_secret_value().encode()
        return cls(hmac.digest(secret, b"dialplane session tokens", hashlib.sha256))

    def mint(self, conversation: Conversation) -> str:
        """Return a token for a conversation."""
        now = datetime.now(UTC)
        return jwt.encode(
            {
                "aud": _AUDIENCE,
                "sub": conversation.user_id,
                "iat": now,
                "exp": now + LIFE,
                "conversation_id": conversation.name,
                "agent_id": str(conversation.agent.agent_id),
                "organization_id": str(conversation.organization_id),
                "user_id": conversation.user_id,
            },
            self._key,
            algorithm=_ALGORITHM,
        )

    def conversation_of(self, token: str) -> str:
        """Return the public name of the conversation a token is for.

        Raises:
            InvalidSessionToken: It is none of ours, or no longer good.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": ["aud", "exp", "iat", "conversation_id"]},
            )
        except (jwt.PyJWTError, ValueError) as exc:
            raise InvalidSessionToken from exc
        name = claims["conversation_id"]
        if not isinstance(name, str):
            raise InvalidSessionToken
        return name
