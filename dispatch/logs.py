"""Logging of every process, set up in one place: text or JSON lines to stderr.

Messages are constant text; what varies is in fields (`extra=`). Fields whose name starts with
`pii.` hold personal data (numbers, names, spoken words) and are dropped unless asked for.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes every log record has; all others were given as `extra=`."""

_PERSONAL: Final = "pii."


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
        if self._json:
            return self._as_json(record, at, fields)
        return self._as_text(record, at, fields)

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
    for chatty in ("httpx", "httpcore", "aiohttp.access", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(root.level, logging.WARNING))
