"""Tokens of signed-in users: a JWT is believed when the identity provider's key says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jwt

from dispatch.access.key_set import KeySet
from dispatch.access.settings import AccessSettings
from dispatch.accounts import Role

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA")
"""All sign with a private key. `none` and the HMAC family are not among them, so that nobody signs
with nothing, or with a public key as if it were a secret."""

_LEEWAY_S: Final = 10
"""Clocks differ by so much."""
_LONGEST_TOKEN: Final = 8_192
_LONGEST_CLAIM: Final = 255


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a token says, once it is believed."""

    issuer: str
    subject: str
    name: str
    email: str | None
    """Only when the provider verified it."""
    organization: str | None
    """How the provider names the organisation the user acts for."""
    organization_name: str
    role: Role
    """What the token claims; a member's role on record counts for more."""
    expires_at: datetime


class TokenVerifier:
    """Checks tokens (RFC 7519, with the advice of RFC 8725).

    Args:
        settings: Whose tokens, for whom.
        keys: The provider's public keys.
    """

    def __init__(self, settings: AccessSettings, keys: KeySet) -> None:
        if not settings.jwt_issuer:
            raise ValueError("DIALPLANE_JWT_ISSUER is required with DIALPLANE_JWT_JWKS.")
        self._settings = settings
        self._keys = keys

    async def verify(self, token: str) -> SignedIn | None:
        """Return what a token says; None when it is not to be believed, for whatever reason.

        Raises:
            StoreUnavailable: The provider's keys could never be read.
        """
        if len(token) > _LONGEST_TOKEN:
            return None
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if header.get("alg") not in ALGORITHMS or not isinstance(key_id, str):
                return None
            key = await self._keys.find(key_id)
            return None if key is None else self._read(token, key)
        except (jwt.PyJWTError, ValueError, OverflowError):
            return None

    def _read(self, token: str, key: jwt.PyJWK) -> SignedIn | None:
        settings = self._settings
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key,
            algorithms=list(ALGORITHMS),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            leeway=_LEEWAY_S,
            options={
                "require": ["exp", "iss", "sub"],
                "verify_aud": settings.jwt_audience is not None,
                "enforce_minimum_key_length": True,
            },
        )
        parties = settings.jwt_authorized_parties
        if parties and "azp" in claims and claims["azp"] not in parties:
            return None
        subject = claims["sub"]
        if not 1 <= len(subject) <= _LONGEST_CLAIM:
            return None
        organization = _first_text(claims, settings.jwt_organization_claims)
        verified = claims.get("email_verified") is True
        return SignedIn(
            issuer=claims["iss"],
            subject=subject,
            name=_first_text(claims, ("name", "email", "sub")) or subject,
            email=_first_text(claims, ("email",)) if verified else None,
            organization=organization,
            organization_name=_first_text(claims, ("org_name", "org_slug", "o.slg"))
            or organization
            or "",
            role=self._role_of(claims),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    def _role_of(self, claims: Mapping[str, Any]) -> Role:
        claimed = _first_text(claims, self._settings.jwt_role_claims) or ""
        return self._settings.jwt_roles.get(claimed.removeprefix("org:"), "viewer")


def _first_text(claims: Mapping[str, Any], paths: tuple[str, ...]) -> str | None:
    """Return the first claim that is a usable text; a dot in a path goes into an object."""
    for path in paths:
        value: Any = claims
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, str) and 1 <= len(value) <= _LONGEST_CLAIM and "\0" not in value:
            return value
    return None
