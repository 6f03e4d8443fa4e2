"""Settings of the gateway process, read once from the environment by its composition root."""

from ipaddress import IPv4Network, IPv6Network

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatch.access.settings import AccessSettings


class GatewaySettings(BaseSettings):
    """Where the gateway listens, who administers it and what it tells browsers."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8000, ge=0, le=65_535)
    """Port to listen on; 0 lets the system choose one."""
    gateway_max_body_bytes: int = Field(default=1_048_576, ge=1_024)
    """Longest accepted request body; longer ones are answered with 413."""
    dialplane_admin_key: SecretStr = Field(min_length=16)
    """The key of `/admin/v1`; there is exactly one and no default."""
    dialplane_session_token_key: SecretStr | None = Field(default=None, min_length=32)
    """Signs the tokens of chat sessions; made of `DIALPLANE_KEY_PEPPER` when not given."""
    access: AccessSettings = Field(default_factory=AccessSettings)
    """Whose tokens are believed, and the plan of new organisations."""
    public_livekit_url: str | None = Field(default=None, pattern=r"^wss?://")
    """LiveKit's address as browsers reach it; `LIVEKIT_URL` when not given."""
    dialplane_default_allowed_addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    """From where calls may come on carrier connections that were created implicitly.

    Empty refuses to create any: an open SIP trunk is found by scanners within hours.
    """
