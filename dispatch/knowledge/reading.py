"""`python -m dispatch.knowledge.reading SOURCE FORMAT TARGET`: a file to its chunks, within limits.

A process of its own, without a secret in its environment: a hostile file can at worst end it.
It writes one chunk a line to TARGET, as JSON, and nothing else but, when the file cannot be read,
`{"unreadable": sentence}` or `{"failed": kind of error}` to its standard output.
"""

import os
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson

MEMORY_BYTES: Final = 1024 * 1024 * 1024
CPU_S: Final = 120
MAX_TARGET_BYTES: Final = 256 * 1024 * 1024

_NICENESS: Final = 10
"""Calls on the same machine go first."""


def main() -> int:
    """Read the file named on the command line; whether it could be read."""
    limit_resources()
    # The parsers are loaded after the limits, which then hold for all they take.
    from dispatch.knowledge.chunking import chunks_of  # noqa: PLC0415
    from dispatch.knowledge.errors import Unreadable  # noqa: PLC0415
    from dispatch.knowledge.readers import read_sections  # noqa: PLC0415
    from dispatch.knowledge_base import DocumentFormat  # noqa: PLC0415

    source, kind, target = Path(sys.argv[1]), DocumentFormat(sys.argv[2]), Path(sys.argv[3])
    try:
        with target.open("wb") as lines:
            for chunk in chunks_of(read_sections(source, kind), kind):
                lines.write(orjson.dumps(asdict(chunk)) + b"\n")
    except Unreadable as exc:
        return _tell("unreadable", str(exc))
    except Exception as exc:  # noqa: BLE001 - parsers raise whatever a broken file makes them
        return _tell("failed", type(exc).__name__)
    return 0


def limit_resources() -> None:
    """Take from this process what a well-meant file does not need."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_TARGET_BYTES, MAX_TARGET_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # macOS has no limit of the address space that it keeps to.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _tell(what: str, words: str) -> int:
    sys.stdout.buffer.write(orjson.dumps({what: words}))
    return 1


if __name__ == "__main__":
    sys.exit(main())
