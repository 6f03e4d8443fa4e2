"""A SIP dialog: what both ends remember between the requests of one call.

Source: RFC 3261 section 12.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final

from sipmessage import URI, Address, CSeq, Request, Response

from telephony.softphone.sip_messages import (
    PRODUCT,
    Body,
    new_branch,
    set_body,
    split_addresses,
    tag_of,
)

MAX_FORWARDS: Final = 70


@dataclass(slots=True)
class Dialog:
    """One end's view of a dialog; From and To are kept as written."""

    call_id: str
    local: str
    """Our From header, with our tag."""
    remote: str
    """The far end's To header, with its tag once known."""
    remote_target: URI
    """Where requests are addressed: the far end's Contact."""
    via: str
    """Our address as in Via: host and port."""
    contact: str
    """Our Contact header."""
    route_set: list[str] = field(default_factory=list)
    local_sequence: int = field(default_factory=lambda: secrets.randbelow(1000) + 1)
    remote_sequence: int = -1

    @property
    def local_tag(self) -> str:
        """Our tag."""
        return tag_of(self.local) or ""

    @property
    def remote_tag(self) -> str:
        """The far end's tag; empty until it answers."""
        return tag_of(self.remote) or ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells this dialog from others: Call-ID, our tag, their tag."""
        return (self.call_id, self.local_tag, self.remote_tag)

    @property
    def next_hop(self) -> URI:
        """Where the next request is sent: the first route, else the far end itself."""
        return Address.parse(self.route_set[0]).uri if self.route_set else self.remote_target

    @classmethod
    def of_incoming(cls, invite: Request, *, local_tag: str, via: str, contact: str) -> "Dialog":
        """Return the dialog an INVITE of the far end begins, seen from us."""
        targets = invite.contact
        return cls(
            call_id=invite.call_id,
            local=f"{invite.headers['To']};tag={local_tag}",
            remote=invite.headers["From"],
            remote_target=targets[0].uri if targets else invite.from_address.uri,
            via=via,
            contact=contact,
            route_set=split_addresses(invite.headers.getlist("Record-Route")),
            remote_sequence=invite.cseq.sequence,
        )

    def establish(self, response: Response) -> None:
        """Take tag, target and routes from the response to our INVITE."""
        self.remote = response.headers["To"]
        self.refresh_target(response)
        # The answering end recorded the routes in the far end's order: ours is the reverse.
        self.route_set = split_addresses(response.headers.getlist("Record-Route"))[::-1]

    def refresh_target(self, message: Request | Response) -> None:
        """Take the far end's new Contact, if it gives one."""
        if message.contact:
            self.remote_target = message.contact[0].uri

    def request(self, method: str, body: Body | None = None) -> Request:
        """Return the next request of this dialog."""
        self.local_sequence += 1
        return self._request(method, self.local_sequence, body)

    def acknowledgement(self, invite: Request, body: Body | None = None) -> Request:
        """Return the ACK of a 2xx to an INVITE of ours."""
        return self._request("ACK", invite.cseq.sequence, body)

    def accepts(self, request: Request) -> bool:
        """Note the number of a request from the far end; False when it is out of order."""
        if request.cseq.sequence <= self.remote_sequence:
            return False
        self.remote_sequence = request.cseq.sequence
        return True

    def _request(self, method: str, sequence: int, body: Body | None) -> Request:
        target, routes = self._target_and_routes()
        request = Request(method, target)
        headers = request.headers
        headers.set("Via", f"SIP/2.0/UDP {self.via};rport;branch={new_branch()}")
        headers.set("Max-Forwards", str(MAX_FORWARDS))
        if routes:
            headers.setlist("Route", routes)
        headers.set("From", self.local)
        headers.set("To", self.remote)
        headers.set("Call-ID", self.call_id)
        request.cseq = CSeq(sequence, method)
        headers.set("Contact", self.contact)
        headers.set("User-Agent", PRODUCT)
        set_body(request, body)
        return request

    def _target_and_routes(self) -> tuple[URI, list[str]]:
        if not self.route_set or "lr" in self.next_hop.parameters:
            return self.remote_target, list(self.route_set)
        # A strict router of RFC 2543 wants itself as the target and the target as last route.
        return self.next_hop, [*self.route_set[1:], f"<{self.remote_target}>"]
