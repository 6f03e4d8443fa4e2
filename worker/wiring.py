"""Puts together what acts on a call: its control, from the call's parts and the job's services."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Final

from dispatch.agent_profile import AgentProfile
from dispatch.calls import Arrival
from telephony.calls import CallKind
from telephony.dialling_rules import DiallingRules
from telephony.e164 import E164, parse_e164
from telephony.errors import InvalidNumber
from telephony.hearing import Party, Role
from worker.agent_on_call import AgentOnCall
from worker.bootstrap import JobServices
from worker.call_control import CallControl
from worker.hearing import RoomHearing
from worker.hold_music import HoldMusic, read_tune
from worker.line import Line
from worker.pipelines import WarmModels
from worker.subscriptions import everybody_asked
from worker.transcript import CallJournal
from worker.transfers.hosts import may_dial
from worker.transfers.targets import Targets
from worker.transfers.transfer import TransferParts

_NO_NUMBER: Final = "anonymous"
"""Who calls when the call is on no number of ours."""


def call_control_of(
    line: Line,
    arrival: Arrival,
    profile: AgentProfile,
    journal: CallJournal,
    agent: AgentOnCall,
    warm: WarmModels,
    services: JobServices,
) -> CallControl:
    """Return what holds a call and passes it on; it does nothing until it is told to.

    Args:
        line: The call's line.
        arrival: Who calls.
        profile: The agent.
        journal: Where holds and transfers are put on record.
        agent: The conversation.
        warm: Finds speech in what a human says.
        services: What the job talks to.
    """
    room, policy = line.room, profile.transfer
    parties = [
        Party(arrival.caller_identity, Role.CALLER),
        Party(room.local_participant.identity, Role.AGENT),
    ]
    own_number = arrival.own_number or policy.from_number
    parts = TransferParts(
        room=room,
        line=line,
        caller_identity=arrival.caller_identity,
        from_number=own_number or _NO_NUMBER,
        journal=journal,
        hearing=RoomHearing(
            services.hearing, room, parties, functools.partial(everybody_asked, room)
        ),
        dialler=services.dialler,
        voice=agent,
        detection=warm.vad,
        policy=policy,
        may_dial=functools.partial(may_dial, services.sip_hosts),
        find_trunk=functools.partial(services.trunks.of_number, own_number, profile.project_id),
    )
    rules = DiallingRules(
        allow=policy.patterns,
        own_numbers=frozenset(_numbers(arrival.did, arrival.caller_number)),
        blocked_regions=services.dispatch_settings.dialplane_blocked_countries,
    )
    targets = Targets(
        policy=policy,
        rules=rules,
        agent_id=profile.agent_id,
        caller_number=next(_numbers(arrival.other_number), None),
        find_agent=services.trunks.agent_of_number,
    )
    directory = services.worker_settings.worker_hold_music_dir
    music = HoldMusic(room, functools.partial(read_tune, profile.hold_music, directory))
    can_refer = arrival.kind is CallKind.SIP and policy.carrier_transfers
    return CallControl(parts, agent, music, targets, can_refer=can_refer)


def _numbers(*texts: str | None) -> Iterator[E164]:
    for text in texts:
        with contextlib.suppress(InvalidNumber):
            yield parse_e164(text or "")
