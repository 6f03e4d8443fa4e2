"""From which web pages a key may be used.

An allowed origin is a domain, `example.com`, and stands for its subdomains too. A page is known by
the `Origin` that its browser sends (RFC 6454), which a script in the page cannot change.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from dispatch.errors import InvalidField
from telephony.host_names import DOTTED_HOST, LONGEST_HOST

_MOST: Final = 100
_DOMAIN: Final = re.compile(DOTTED_HOST)
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""A developer's own machine, on any port: nobody else can serve a page from there."""


def checked_origins(origins: Iterable[str]) -> list[str]:
    """Return domains in lower case, each once.

    Whole origins are taken for their domain: `https://www.example.com` means `www.example.com`.

    Raises:
        InvalidField: One is no domain name or address, or there are more than 100.
    """
    checked = list(dict.fromkeys(_domain(text) for text in origins))
    if len(checked) > _MOST:
        raise InvalidField("allowed_origins", f"allowedOrigins may hold at most {_MOST} domains.")
    return checked


def is_allowed(origin: str, allowed: Sequence[str]) -> bool:
    """Whether a page of this origin may use a key that is locked to these domains."""
    host = _host_of(origin)
    if host is None:
        return False
    return host in _LOCAL or any(
        host == domain or host.endswith(f".{domain}") for domain in allowed
    )


def _host_of(origin: str) -> str | None:
    """Return the host of a serialised origin; None for `null` and whatever is none."""
    try:
        parts = urlsplit(origin)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or host is None:
        return None
    # A browser sends scheme, host and port and nothing else; more is somebody's trick.
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    return host.rstrip(".")


def _domain(text: str) -> str:
    wanted = text.strip().lower().rstrip(".")
    host = _host_of(wanted.rstrip("/")) if "://" in wanted else wanted
    if host is not None and (host in _LOCAL or _is_domain(host) or _is_address(host)):
        return host
    raise InvalidField("allowed_origins", "allowedOrigins holds domains such as example.com.")


def _is_domain(host: str) -> bool:
    return len(host) <= LONGEST_HOST and _DOMAIN.fullmatch(host) is not None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
