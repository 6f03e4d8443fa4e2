"""The configuration files of livekit-server and livekit-sip.

Both read YAML; JSON is a subset of it, so no YAML writer is needed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.ports import LOOPBACK, Ports

SERVER_VERSION = "v1.13.5"
SIP_VERSION = "v1.8.0"

ALL_OF_THE_CPU = 1.0
"""livekit-sip refuses calls above this share; here it shares the machine with everything else."""

MUTE_LEG_TIMEOUT = "60s"
"""livekit-sip hangs up on a telephone that sent no packet for so long; 15 s if this is not said. A
telephone that puts a call on hold without music sends none, and agents bear 60 s of silence."""

WEBHOOK_EVENTS = ("participant_joined", "participant_left", "room_finished")
"""All that the gateway acts on; without a filter each room sends several more.
Source: livekit/protocol webhook/notifier.go, `FilterParams`."""


@dataclass(frozen=True)
class LiveKitKeys:
    """The key pair under which everything of ours talks to LiveKit."""

    key: str
    secret: str


def server_config(ports: Ports, keys: LiveKitKeys, redis_password: str) -> dict[str, Any]:
    """Return livekit-server's configuration.

    Source: livekit-server v1.13.5, config-sample.yaml.
    """
    return {
        "port": ports.livekit,
        "bind_addresses": [LOOPBACK],
        "redis": redis_config(ports, redis_password),
        "rtc": {
            "tcp_port": ports.livekit_rtc_tcp,
            "port_range_start": ports.rtc[0],
            "port_range_end": ports.rtc[1],
            "node_ip": LOOPBACK,
            "use_external_ip": False,
            "enable_loopback_candidate": True,
        },
        "keys": {keys.key: keys.secret},
        "webhook": {
            "api_key": keys.key,
            "urls": [f"http://{LOOPBACK}:{ports.gateway}/webhooks/livekit"],
            "filter_params": {"include_events": list(WEBHOOK_EVENTS)},
        },
        "logging": {"level": "info", "json": True},
    }


def sip_config(ports: Ports, keys: LiveKitKeys, redis_password: str) -> dict[str, Any]:
    """Return livekit-sip's configuration.

    Source: livekit/sip v1.8.0, pkg/config/config.go.
    """
    return {
        "api_key": keys.key,
        "api_secret": keys.secret,
        "ws_url": f"ws://{LOOPBACK}:{ports.livekit}",
        "redis": redis_config(ports, redis_password),
        "sip_port": ports.sip,
        "rtp_port": f"{ports.rtp[0]}-{ports.rtp[1]}",
        "listen_ip": LOOPBACK,
        "local_net": "127.0.0.0/8",
        "nat_1_to_1_ip": LOOPBACK,
        "max_cpu_utilization": ALL_OF_THE_CPU,
        "media_timeout": MUTE_LEG_TIMEOUT,
        "logging": {"level": "info", "json": True},
    }


def redis_config(ports: Ports, password: str) -> dict[str, str]:
    """Return how both servers reach Redis."""
    return {"address": f"{LOOPBACK}:{ports.redis}", "password": password}


def write_config(path: Path, config: dict[str, Any]) -> Path:
    """Write a configuration, readable by its owner only, and return its path."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2) + "\n")
    return path
