"""Passwords of private servers: made once, kept beside the data, readable by the owner only."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

PASSWORD_BYTES = 24
SECRETS_KEY_BYTES = 32


def new_password() -> str:
    """Return a password of letters and digits."""
    return secrets.token_hex(PASSWORD_BYTES)


def new_secrets_key() -> str:
    """Return a key for tenants' secrets as `DIALPLANE_SECRETS_KEYS` holds it."""
    return f"stack:{base64.b64encode(secrets.token_bytes(SECRETS_KEY_BYTES)).decode()}"


def kept_secret(path: Path, make: Callable[[], str] = new_password) -> str:
    """Return the secret in this file, making it on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
    return path.read_text().strip()
