"""Which SIP servers tenants' calls may be sent to: public ones, and hosts allowed by name.

A target such as `sip:desk@host` is written by a tenant, and LiveKit stands in a network that
tenants must not see. The name is looked up again by LiveKit, so whoever owns it could answer
differently the second time; what they would gain is an INVITE.
"""

import asyncio
import ipaddress
import logging
import socket
from typing import Final

from dispatch.tools.addresses import AllowedHosts, is_public

logger = logging.getLogger(__name__)

_SIP_PORT: Final = 5060


async def may_dial(allowed: AllowedHosts, hostname: str) -> bool:
    """Whether a call may be sent there; not to a name that cannot be looked up.

    Args:
        allowed: Hosts that may be anywhere.
        hostname: Host or `host:port`, as in a SIP address; IPv4 or a name.
    """
    host, _, port_text = hostname.partition(":")
    port = int(port_text or _SIP_PORT)
    if allowed.names(host, port):
        return True
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        # A name with an empty or too long label is none that could be asked for.
        logger.info("host of a SIP target not found")
        return False
    addresses = [ipaddress.ip_address(address[0]) for *_, address in found]
    return bool(addresses) and all(is_public(address) for address in addresses)
