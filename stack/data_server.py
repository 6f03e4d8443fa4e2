"""A server with a data directory: stopped, killed and started again, it keeps its data."""

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from stack.ports import free_port
from stack.processes import ServerProcess


class DataServer(ABC):
    """What Postgres and Redis share; as a context manager it runs for the length of the block.

    Attributes:
        port: Its port on 127.0.0.1, the same across restarts.
        process: The running server.
    """

    def __init__(self, name: str, data_dir: Path, port: int, log_path: Path | None) -> None:
        """Prepare a server without starting it.

        Args:
            name: Name of the part, also of its log.
            data_dir: Everything it keeps.
            port: TCP port on 127.0.0.1; 0 picks a free one, kept across restarts of this object.
            log_path: Log file; in the data directory by default.
        """
        self._data_dir = data_dir.resolve()
        self.port = port or free_port()
        self.process = ServerProcess(name, log_path or self._data_dir / f"{name}.log")

    @abstractmethod
    def start(self) -> None:
        """Start it and return when it serves; no-op when it runs.

        Raises:
            MissingTool: Its program is not there.
            PartFailed: It did not become ready.
        """

    def stop(self) -> None:
        """Shut it down in order, with everything on disk; no-op when stopped."""
        self.process.stop()

    def kill(self) -> None:
        """End it at once, as a crash would; the next start recovers from its log."""
        self.process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
