"""The installation keys of the tests."""

from dispatch.secrets.envelope import KeyRing

KEYS_TEXT = "tests:" + "A" * 43 + "="
"""One key as `DIALPLANE_SECRETS_KEYS` holds it; its 32 bytes are zero."""

KEYS = KeyRing.parse(KEYS_TEXT)
