"""Settings of sign-in, plans and origins, read once from the environment."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatch.access.limits import Plan
from dispatch.accounts import Role


class AccessSettings(BaseSettings):
    """Whose tokens are believed, and what a new organisation may do."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_prefix="DIALPLANE_", env_ignore_empty=True
    )

    jwt_jwks: str | None = None
    """Where the identity provider's public keys are: an https address, or a file's path. Without
    it, only keys of ours are accepted."""
    jwt_issuer: str | None = None
    """What `iss` must be; required with `jwt_jwks`."""
    jwt_audience: str | None = None
    """What `aud` must be, or hold; without it `aud` is not looked at."""
    jwt_authorized_parties: tuple[str, ...] = ()
    """What `azp` must be one of, when it is there; empty does not look at it."""
    jwt_organization_claims: tuple[str, ...] = ("org_id", "o.id")
    """Claims that name the organisation, the first one present; a dot goes into an object. The
    default is Clerk's, of both versions of its tokens."""
    jwt_role_claims: tuple[str, ...] = ("org_role", "o.rol")
    jwt_roles: dict[str, Role] = Field(
        default={
            "owner": "owner",
            "admin": "admin",
            "operator": "operator",
            "member": "operator",
            "viewer": "viewer",
        }
    )
    """Our role for the provider's, whose `org:` in front is ignored; others are viewers."""
    jwt_unknown_organization: Literal["refuse", "create"] = "refuse"
    """What becomes of an organisation that nobody has registered."""

    default_plan: Plan = "enterprise"
    """Plan of a new organisation."""
    allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may use the tokens of signed-in users, such as a console's."""
