"""A real livekit-server with a Redis of its own, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr
from redis import Redis

from stack.build import ensure_servers
from stack.health import http_answers
from stack.livekit_config import LiveKitKeys, server_config, write_config
from stack.ports import LOOPBACK, Ports, claimed_ports
from stack.processes import Command, ServerProcess
from stack.redis import RedisServer
from stack.settings import StackSettings
from telephony.settings import LiveKitSettings

KEYS = LiveKitKeys("tests", "a-secret-that-is-at-least-32-bytes-long")
READY_TIMEOUT_S = 60.0


class LiveKitServer:
    """livekit-server and its Redis; both can be stopped and started again."""

    def __init__(self, directory: Path, ports: Ports) -> None:
        self._directory = directory
        self._ports = ports
        self.redis = RedisServer(directory, ports.redis)
        self._process = ServerProcess("livekit", directory / "livekit.log")
        self.webhook_port = ports.gateway
        self.settings = LiveKitSettings(
            livekit_url=f"ws://{LOOPBACK}:{ports.livekit}",
            livekit_api_key=KEYS.key,
            livekit_api_secret=SecretStr(KEYS.secret),
        )

    def start(self) -> None:
        """Start both and return when LiveKit answers."""
        self.redis.start()
        config = server_config(self._ports, KEYS, self.redis.password)
        path = write_config(self._directory / "livekit.yaml", config)
        binary = ensure_servers(StackSettings().var, print) / "livekit-server"
        self._process.spawn(Command([str(binary), "--config", str(path)], stop_timeout_s=1.0))
        self._process.wait_ready(lambda: http_answers(self._ports.livekit), READY_TIMEOUT_S)

    def stop(self) -> None:
        """Stop LiveKit; its Redis goes on."""
        self._process.stop()

    def close(self) -> None:
        """Stop both."""
        self._process.stop()
        self.redis.stop()

    def leave_room_to_the_dead(self, room_name: str) -> None:
        """Let a room be a server's that is no more, as a crash of LiveKit leaves all of its rooms.

        Source: livekit-server v1.13.5 pkg/routing/redisrouter.go, NodeRoomKey.
        """
        with Redis.from_url(self.redis.url) as client:
            client.hset("room_node_map", room_name, "ND_gone")

    def lose_everything(self) -> None:
        """Empty LiveKit's Redis, as if it had no disk and was restarted."""
        with Redis.from_url(self.redis.url) as client:
            client.flushall()


@contextmanager
def running_livekit(directory: Path) -> Iterator[LiveKitServer]:
    """Run a private livekit-server for the length of the block."""
    with claimed_ports() as ports:
        server = LiveKitServer(directory, ports)
        try:
            server.start()
            yield server
        finally:
            server.close()
