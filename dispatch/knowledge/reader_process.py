"""Has a file read by a process of its own, and waits no longer than it should."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from dispatch.knowledge.errors import Unreadable
from dispatch.knowledge_base import Chunk, DocumentFormat

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 300.0
"""Longer than the processor time it may use: the machine has other work, too."""

_PROJECT: Final = Path(__file__).parents[2]


async def read_chunks(
    source: Path, kind: DocumentFormat, target: Path, *, timeout_s: float = TIMEOUT_S
) -> None:
    """Read a file and write its chunks to another, one JSON object a line.

    Raises:
        Unreadable: The file cannot be read, or not within the limits.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatch.knowledge.reading", str(source), kind, str(target),
        cwd=_PROJECT,
        # Nothing of ours: no database, no keys.
        env={"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        # Parsers warn of what they see, in words of the document.
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError as exc:
        raise Unreadable("The file took too long to read.") from exc
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        raise _reason(process.returncode, output)


def _reason(code: int | None, output: bytes) -> Unreadable:
    told: dict[str, str] = orjson.loads(output) if output else {}
    if "unreadable" in told:
        return Unreadable(told["unreadable"])
    failure = told.get("failed", "")
    logger.info("document not readable", extra={"exit_code": code, "error": failure})
    if failure and failure != "MemoryError":
        return Unreadable("The file is damaged, too complicated, or not what its name says.")
    return Unreadable("Reading the file took more time or memory than one file may use.")


def chunk_batches(target: Path, size: int) -> Iterator[tuple[Chunk, ...]]:
    """Yield the chunks that were written to a file, so many at a time."""
    with target.open("rb") as lines:
        while batch := tuple(Chunk(**orjson.loads(line)) for line in islice(lines, size)):
            yield batch
