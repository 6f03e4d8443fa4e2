"""Secrets of a stack: made once, kept for its owner only."""

from pathlib import Path

import pytest

from dispatch.secrets.envelope import KeyRing
from stack.passwords import kept_secret, new_secrets_key

pytestmark = pytest.mark.unit


def test_a_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "admin_key"

    first = kept_secret(path)

    assert kept_secret(path) == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_key_for_tenants_secrets_is_one_that_the_parts_can_read(tmp_path: Path) -> None:
    key = kept_secret(tmp_path / "secrets_keys", new_secrets_key)

    assert KeyRing.parse(key).first_id == "stack"
