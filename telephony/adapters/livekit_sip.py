"""LiveKit's table of inbound trunks and dispatch rules."""

from collections.abc import Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from livekit import api

from telephony.adapters.livekit_client import LiveKitClient
from telephony.e164 import E164
from telephony.errors import VendorNotFound
from telephony.trunks import DispatchRule, InboundTrunk, ObservedRule, ObservedTrunk, TrunkOwner

_EMPTY_TIMEOUT_S: Final = 60
_DEPARTURE_TIMEOUT_S: Final = 5
"""Seconds a call's room outlives its caller; enough for the agent to settle the call."""


class LiveKitTrunks:
    """`telephony.ports.TrunkRegistry` over LiveKit's SIP service.

    Creates and replacements are sent once: LiveKit gives every new trunk another id, so a create
    that was lost on its way back is found again by its metadata and adopted, never sent again.
    """

    def __init__(self, client: LiveKitClient) -> None:
        self._client = client

    async def list_inbound_trunks(self) -> Sequence[ObservedTrunk]:
        """Return every inbound trunk, ours and others'."""
        answer = await self._client.repeatable(
            "list_inbound_trunks",
            lambda livekit: livekit.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest()),
        )
        return [_observed_trunk(info) for info in answer.items]

    async def create_inbound_trunk(self, trunk: InboundTrunk) -> str:
        """Create a trunk and return its LiveKit id."""
        request = api.CreateSIPInboundTrunkRequest(trunk=_trunk_info(trunk))
        created = await self._client.once(
            "create_inbound_trunk", lambda livekit: livekit.sip.create_inbound_trunk(request)
        )
        return created.sip_trunk_id

    async def replace_inbound_trunk(self, livekit_trunk_id: str, trunk: InboundTrunk) -> None:
        """Make an existing trunk equal to the one given."""
        info = _trunk_info(trunk)
        await self._client.once(
            "replace_inbound_trunk",
            lambda livekit: livekit.sip.update_inbound_trunk(livekit_trunk_id, info),
        )

    async def delete_trunk(self, livekit_trunk_id: str) -> None:
        """Delete a trunk; a trunk that is already gone is fine."""
        request = api.DeleteSIPTrunkRequest(sip_trunk_id=livekit_trunk_id)
        try:
            await self._client.repeatable(
                "delete_trunk", lambda livekit: livekit.sip.delete_trunk(request)
            )
        except VendorNotFound:
            return

    async def list_dispatch_rules(self) -> Sequence[ObservedRule]:
        """Return every dispatch rule, ours and others'."""
        answer = await self._client.repeatable(
            "list_dispatch_rules",
            lambda livekit: livekit.sip.list_dispatch_rule(api.ListSIPDispatchRuleRequest()),
        )
        return [_observed_rule(info) for info in answer.items]

    async def create_dispatch_rule(self, rule: DispatchRule) -> str:
        """Create a rule and return its LiveKit id."""
        request = api.CreateSIPDispatchRuleRequest(dispatch_rule=_rule_info(rule))
        created = await self._client.once(
            "create_dispatch_rule", lambda livekit: livekit.sip.create_dispatch_rule(request)
        )
        return created.sip_dispatch_rule_id

    async def replace_dispatch_rule(self, livekit_rule_id: str, rule: DispatchRule) -> None:
        """Make an existing rule equal to the one given."""
        info = _rule_info(rule)
        await self._client.once(
            "replace_dispatch_rule",
            lambda livekit: livekit.sip.update_dispatch_rule(livekit_rule_id, info),
        )

    async def delete_dispatch_rule(self, livekit_rule_id: str) -> None:
        """Delete a rule; a rule that is already gone is fine."""
        request = api.DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=livekit_rule_id)
        try:
            await self._client.repeatable(
                "delete_dispatch_rule", lambda livekit: livekit.sip.delete_dispatch_rule(request)
            )
        except VendorNotFound:
            return


def _trunk_info(trunk: InboundTrunk) -> api.SIPInboundTrunkInfo:
    if not trunk.numbers:
        raise ValueError("a trunk without numbers would catch every call")
    ringing_timeout = Duration()
    ringing_timeout.FromMilliseconds(round(trunk.ringing_timeout_s * 1000))
    return api.SIPInboundTrunkInfo(
        name=trunk.name,
        metadata=trunk.owner.to_metadata(),
        numbers=sorted(trunk.numbers),
        allowed_addresses=sorted(trunk.allowed_addresses),
        auth_username=trunk.auth_username,
        auth_password=trunk.auth_password,
        ringing_timeout=ringing_timeout,
    )


def _observed_trunk(info: api.SIPInboundTrunkInfo) -> ObservedTrunk:
    owner = TrunkOwner.find_in(info.metadata)
    return ObservedTrunk(
        livekit_trunk_id=info.sip_trunk_id,
        owner=owner,
        trunk=_trunk_in_our_words(owner, info) if owner is not None else None,
        name=info.name,
        numbers=frozenset(info.numbers),
    )


def _trunk_in_our_words(owner: TrunkOwner, info: api.SIPInboundTrunkInfo) -> InboundTrunk | None:
    trunk = InboundTrunk(
        owner=owner,
        name=info.name,
        # Not parsed: LiveKit got these from us, and one that somebody changed has only to differ.
        numbers=frozenset(E164(number) for number in info.numbers),
        allowed_addresses=frozenset(info.allowed_addresses),
        auth_username=info.auth_username,
        auth_password=info.auth_password,
        ringing_timeout_s=info.ringing_timeout.ToMilliseconds() / 1000,
    )
    return trunk if trunk.numbers and _says_the_same(_trunk_info(trunk), info) else None


def _rule_info(rule: DispatchRule) -> api.SIPDispatchRuleInfo:
    if not rule.trunk_ids:
        raise ValueError("a rule without trunks would catch every call")
    # A rule of the kind `callee` names the room after the dialled number. The kind `individual`
    # would put the caller's number, personal data, into a name that reaches every log.
    return api.SIPDispatchRuleInfo(
        name=rule.name,
        metadata=rule.owner.to_metadata(),
        trunk_ids=sorted(rule.trunk_ids),
        rule=api.SIPDispatchRule(
            dispatch_rule_callee=api.SIPDispatchRuleCallee(
                room_prefix=rule.room_prefix, randomize=True
            )
        ),
        room_config=api.RoomConfiguration(
            agents=[api.RoomAgentDispatch(agent_name=rule.worker_name)],
            empty_timeout=_EMPTY_TIMEOUT_S,
            departure_timeout=_DEPARTURE_TIMEOUT_S,
        ),
    )


def _observed_rule(info: api.SIPDispatchRuleInfo) -> ObservedRule:
    owner = TrunkOwner.find_in(info.metadata)
    return ObservedRule(
        livekit_rule_id=info.sip_dispatch_rule_id,
        owner=owner,
        rule=_rule_in_our_words(owner, info) if owner is not None else None,
        name=info.name,
        trunk_ids=frozenset(info.trunk_ids),
    )


def _rule_in_our_words(owner: TrunkOwner, info: api.SIPDispatchRuleInfo) -> DispatchRule | None:
    agents = info.room_config.agents
    rule = DispatchRule(
        owner=owner,
        name=info.name,
        trunk_ids=frozenset(info.trunk_ids),
        room_prefix=info.rule.dispatch_rule_callee.room_prefix,
        worker_name=agents[0].agent_name if agents else "",
    )
    return rule if rule.trunk_ids and _says_the_same(_rule_info(rule), info) else None


_SERVER_FIELDS: Final = frozenset(
    {"sip_trunk_id", "sip_dispatch_rule_id", "created_at", "updated_at"}
)


def _says_the_same(ours: Message, observed: Message) -> bool:
    """Whether a message as LiveKit holds it is, in every field, what we would write."""
    return _by_field(ours) == _by_field(observed)


_DEFAULT_MEDIA: Final[tuple[dict[str, str], ...]] = (
    {},
    {"encryption": "SIP_MEDIA_ENCRYPT_DISABLE"},
)
"""LiveKit writes this into a rule that says nothing about media.

Source: livekit/protocol livekit/sip.go, SIPDispatchRuleInfo.Upgrade.
"""


def _by_field(message: Message) -> dict[str, object]:
    fields = MessageToDict(message, preserving_proto_field_name=True)
    if fields.get("media") in _DEFAULT_MEDIA:
        del fields["media"]
    for name in _SERVER_FIELDS:
        fields.pop(name, None)
    for name in ("numbers", "allowed_addresses", "trunk_ids"):
        if name in fields:
            fields[name] = sorted(fields[name])
    return fields
