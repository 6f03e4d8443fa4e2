"""Passwords of private servers: made once, kept beside the data, readable by the owner only."""

import os
import secrets
from pathlib import Path

PASSWORD_BYTES = 24


def kept_secret(path: Path) -> str:
    """Return the secret in this file, making it on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(PASSWORD_BYTES))
    return path.read_text().strip()
