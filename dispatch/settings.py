"""Settings of the dispatch layer, read once from the environment by a composition root."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class DispatchSettings(BaseSettings):
    """Where the stores are and how calls are admitted, leased and charged."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    database_url: SecretStr
    """SQLAlchemy URL, `postgresql+psycopg://…`."""
    redis_url: SecretStr
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    dialplane_installation: str = "dialplane"
    """Written into trunks and rules, so that two installations can share one LiveKit."""
    dialplane_worker_name: str = "dialplane"
    """The agent name under which workers register with LiveKit."""
    dialplane_key_pepper: SecretStr
    """Secret of the HMAC under which API keys are stored."""
    dialplane_secrets_keys: SecretStr
    """Keys under which tenants' secrets are sealed: `id:base64,older-id:base64`, each of 32 random
    bytes. The first one seals; `python -m dispatch rotate-secrets` moves everything to it, and
    afterwards the others can go."""

    dialplane_tool_allowed_hosts: tuple[str, ...] = ()
    """Hosts, or `host:port`, that tenants' tools and models may be at although they are private or
    speak plain HTTP; as JSON: `["models.internal:8000"]`."""

    dialplane_sip_allowed_hosts: tuple[str, ...] = ()
    """Hosts, or `host:port`, that calls may be passed to by SIP address although they are private;
    as JSON: `["pbx.internal"]`."""
    dialplane_blocked_countries: frozenset[str] = frozenset()
    """Countries that are never dialled, as ISO 3166 codes in JSON: `["KP", "CU"]`."""

    dialplane_clock_file: Path | None = None
    """For tests and rehearsals: a file with the time (RFC 3339) by which opening hours are judged,
    read anew for each call. Each look at it is logged as a warning, and the record of each call
    shows the time it was judged by."""

    lease_ttl: timedelta = timedelta(seconds=15)
    """How long a call's slot lives after its last heartbeat."""
    heartbeat_interval: timedelta = timedelta(seconds=5)
    reap_interval: timedelta = timedelta(seconds=1)
    converge_interval: timedelta = timedelta(seconds=5)

    sip_price_microcredits_per_minute: int | None = Field(default=None, ge=0)
    """Price of a telephone call's minute in place of the price table's."""
    web_price_microcredits_per_minute: int | None = Field(default=None, ge=0)
    """Price of a web session's minute in place of the price table's."""
    operation_block_microcredits: int = Field(default=20_000, ge=0)
    """Credit set aside for one operation that is not a call, such as a turn of a chat."""
    dialplane_price_table: Path | None = None
    """Price table (TOML) in place of the one that comes with Dialplane."""
    credit_block: timedelta = timedelta(seconds=60)
    """How much talking time one reservation covers."""
    credit_low: timedelta = timedelta(seconds=20)
    """A reservation with less than this left is extended."""

    max_calls: int = Field(default=1_000, ge=1)
    """Calls at once in the whole installation."""
    max_calls_per_organization: int = Field(default=100, ge=1)
    max_calls_per_number: int = Field(default=100, ge=1)

    outbound_calls_per_second: int = Field(default=5, ge=1)
    """Outbound calls begun within any second on a carrier connection that names no limit."""
    outbound_calls_per_second_per_organization: int = Field(default=10, ge=1)
    max_outbound_calls: int = Field(default=100, ge=1)
    """Outbound calls at once on a carrier connection that names no limit."""
    max_outbound_calls_per_organization: int = Field(default=100, ge=1)
