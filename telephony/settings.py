"""Where LiveKit is and how long we wait for it, read once from the environment."""

from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class LiveKitSettings(BaseSettings):
    """The LiveKit server and our credentials there (`LIVEKIT_*`)."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    livekit_url: str = Field(pattern=r"^(ws|http)s?://")
    """Address of livekit-server, `ws://host:7880`; the same port serves its HTTP API."""
    livekit_api_key: str = Field(min_length=1)
    livekit_api_secret: SecretStr
    livekit_timeout: timedelta = timedelta(seconds=10)
    """Longest wait for one answer of LiveKit's HTTP API. In health it takes milliseconds; about
    what is on another node, LiveKit itself waits three seconds before it says so."""
