"""What a user may choose about the embedded stack, read once from the environment."""

from dataclasses import replace
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from stack.ports import Ports


class StackSettings(BaseSettings):
    """Where the stack keeps its data and which ports it takes.

    Without any setting, the first free block of a thousand ports from 20000 is taken, so a second
    stack only needs another directory.
    """

    model_config = SettingsConfigDict(env_prefix="DIALPLANE_", extra="ignore", frozen=True)

    var: Path = Path("var")
    """Directory of programs, data, logs and `stack.env`."""
    port_base: int = Field(default=0, ge=0, le=64_000)
    """First of a thousand ports; 0 picks a free block."""
    gateway_port: int | None = Field(default=None, gt=0, le=65_535)
    livekit_port: int | None = Field(default=None, gt=0, le=65_535)
    sip_port: int | None = Field(default=None, gt=0, le=65_535)
    postgres_port: int | None = Field(default=None, gt=0, le=65_535)
    redis_port: int | None = Field(default=None, gt=0, le=65_535)

    def apply_to(self, ports: Ports) -> Ports:
        """Return the ports of a block with those replaced that the user fixed."""
        return replace(
            ports,
            gateway=self.gateway_port or ports.gateway,
            livekit=self.livekit_port or ports.livekit,
            sip=self.sip_port or ports.sip,
            postgres=self.postgres_port or ports.postgres,
            redis=self.redis_port or ports.redis,
        )
