"""`python -m gateway`: serve the API until SIGTERM."""

import uvicorn

from dispatch.logs import configure_logging
from dispatch.settings import DispatchSettings
from gateway.app import create_app
from gateway.bootstrap import open_services
from gateway.settings import GatewaySettings
from telephony.settings import LiveKitSettings

_GRACE_S = 10
"""Longest wait for requests under way at shutdown."""


def main() -> None:
    """Read the settings and serve."""
    settings = GatewaySettings()
    dispatch_settings = DispatchSettings()
    livekit_settings = LiveKitSettings()
    configure_logging(dispatch_settings.log_level, dispatch_settings.log_format)
    app = create_app(
        lambda: open_services(settings, dispatch_settings, livekit_settings),
        max_body_bytes=settings.gateway_max_body_bytes,
    )
    uvicorn.run(
        app,
        host=settings.gateway_host,
        port=settings.gateway_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        # Our own middleware logs requests, without the numbers their paths can hold.
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


if __name__ == "__main__":
    main()
