"""How hosts and ports are written, as patterns that Python and JSON Schema share.

Source: RFC 3261 section 25.1 (`hostname`, `IPv4address`: the last label of a name begins with a
letter, so four numbers are an address or nothing), which is stricter than RFC 1123 section 2.1;
RFC 1035 section 2.3.4 (63 octets to a label).
Addresses of IPv6 are not among them: a host is cut from its port at the colon.
"""

from typing import Final

_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LAST_LABEL: Final = "[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_ADDRESS: Final = rf"{_BYTE}(?:\.{_BYTE}){{3}}"

HOST: Final = rf"(?:(?:{_LABEL}\.)*{_LAST_LABEL}|{_ADDRESS})"
"""A name, also one of a single label, or an IPv4 address."""
DOTTED_HOST: Final = rf"(?:(?:{_LABEL}\.)+{_LAST_LABEL}|{_ADDRESS})"
"""The same with a dot, as every public name has one."""
PORT: Final = (
    "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
"""1 to 65535."""

LONGEST_HOST: Final = 253
"""Characters of a name, dots included. Source: RFC 1035 section 2.3.4, less length octets."""
