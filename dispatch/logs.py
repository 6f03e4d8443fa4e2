"""Logging of every process, set up in one place: text or JSON lines to stderr.

Messages are constant text; what varies is in fields (`extra=`). Fields whose name starts with
`pii.` hold personal data (numbers, names, spoken words) and are dropped unless asked for. So are
the numbers in LiveKit's names of rooms and participants, wherever an entry quotes one.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final, Literal

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes every log record has; all others were given as `extra=`."""

_PERSONAL: Final = "pii."

_NUMBER_IN_NAME: Final = re.compile(r"_(?:(?<=call_)|(?<=sip_))(?:\+|%2B)?\d{5,}", re.IGNORECASE)
"""The dialled number in a room's name and the caller's in an identity, also within a URL.

Source: livekit/protocol sip/sip.go (identity `sip_<number>`; rooms of an individual dispatch rule:
prefix, number, random end).

It begins with what is rare. Every entry is searched, in a twentieth of the time that it takes to
look for either word at each letter."""


class FieldsFormatter(logging.Formatter):
    """Formats a record with its extra fields, as text or as one JSON object.

    Args:
        log_format: `text` for people, `json` for machines.
        personal_data: Whether fields under `pii.` are written at all.
    """

    def __init__(self, log_format: Literal["text", "json"], *, personal_data: bool) -> None:
        super().__init__()
        self._json = log_format == "json"
        self._personal_data = personal_data

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one entry."""
        fields = {
            name: value
            for name, value in vars(record).items()
            if name not in _OWN and (self._personal_data or not name.startswith(_PERSONAL))
        }
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        written = self._as_json if self._json else self._as_text
        entry = written(record, at, fields)
        return entry if self._personal_data else _NUMBER_IN_NAME.sub("_…", entry)

    def _as_json(self, record: logging.LogRecord, at: str, fields: dict[str, object]) -> str:
        entry: dict[str, object] = {
            "at": at,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)

    def _as_text(self, record: logging.LogRecord, at: str, fields: dict[str, object]) -> str:
        named = "".join(f" {name}={value}" for name, value in fields.items())
        text = f"{at} {record.levelname:<7} {record.name}: {record.getMessage()}{named}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return text


def configure_logging(
    level: str, log_format: Literal["text", "json"], *, personal_data: bool = False
) -> None:
    """Send every log of this process to stderr; the last call wins.

    Args:
        level: Name of the lowest level written, such as `INFO`.
        log_format: `text` or `json`.
        personal_data: Write fields under `pii.` too; only for a machine of one's own.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldsFormatter(log_format, personal_data=personal_data))
    root = logging.getLogger()
    for existing in root.handlers[:]:
        root.removeHandler(existing)
    root.addHandler(handler)
    root.setLevel(level)
    for chatty in ("httpx", "httpx2", "httpcore", "aiohttp.access", "openai", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(root.level, logging.WARNING))
