"""One call and everything around it, on a fake LiveKit."""

import asyncio
import json
import uuid
from types import SimpleNamespace
from typing import Any, cast

from livekit import rtc

from dispatch.errors import NoWayOut
from dispatch.transfer_policy import TransferPolicy
from telephony.dialling_rules import DiallingRules
from telephony.e164 import E164, parse_e164
from telephony.hearing import Party, Role
from telephony.ports import SipServer
from tests.fakes.livekit_legs import FakeDialler, FakeHearing
from worker.call_control import CallControl
from worker.ending import Ending
from worker.hearing import RoomHearing
from worker.hold_music import HoldMusic
from worker.line import Line
from worker.transfers.targets import Targets
from worker.transfers.transfer import TransferParts

DESK, OTHER = "sip:desk@pbx.example", "sip:other@pbx.example"
DID, OWN_SECOND = parse_e164("+12015550100"), parse_e164("+12015550101")
AGENT_ID = uuid.uuid4()
NO_CARRIER = "The carrier of the number to call from has no termination."


async def no_trunk() -> SipServer:
    """Find no carrier: only SIP addresses can be dialled."""
    raise NoWayOut(NO_CARRIER)


def participant(identity: str, *names: str) -> Any:
    tracks = {
        name: SimpleNamespace(sid=name, name=name, kind=rtc.TrackKind.KIND_AUDIO) for name in names
    }
    kind = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    return SimpleNamespace(identity=identity, track_publications=tracks, attributes={}, kind=kind)


class Room(rtc.EventEmitter[Any]):
    name = "call_1"

    def __init__(self) -> None:
        super().__init__()
        self.local_participant = participant("agent", "voice", "hold_music")
        self.local_participant.perform_rpc = self._tell_hops
        self.hops = 0
        self.remote_participants = {"caller": participant("caller", "mic")}

    async def _tell_hops(self, **_question: object) -> str:
        """Answer for the caller's leg."""
        return json.dumps({"headers": {"X-Dialplane-Hops": str(self.hops)}})


class Journal:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.reasons: list[object] = []

    def event(self, event_type: str, reason: object = None, **_data: object) -> None:
        self.events.append(str(event_type))
        if reason is not None:
            self.reasons.append(reason)


class Agent:
    """An agent that notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.is_aside = False

    def stand_aside(self) -> None:
        self.is_aside = True

    def come_back(self) -> None:
        self.is_aside = False

    async def say(self, text: str) -> None:
        self.heard.append(text)

    async def say_aside(self, text: str) -> None:
        self.heard.append(f"aside: {text}")


class Music:
    def __init__(self) -> None:
        self.plays = False

    async def publish(self) -> None:
        return

    def play(self) -> None:
        self.plays = True

    async def stop(self) -> None:
        self.plays = False


class Office:
    """One call and everything around it."""

    def __init__(self, **policy: Any) -> None:
        self.room = Room()
        self.line = Line(cast("rtc.Room", self.room), Ending())
        self.line.expect("caller")
        self.livekit = FakeHearing(wanted={("caller", "voice")}, present={"caller"})
        self.dialler = FakeDialler()
        self.journal, self.agent, self.music = Journal(), Agent(), Music()
        self.policy = TransferPolicy.model_validate({"targets": [DESK], **policy})
        parties = [Party("caller", Role.CALLER), Party("agent", Role.AGENT)]
        room = cast("rtc.Room", self.room)
        parts = TransferParts(
            room=room,
            line=self.line,
            caller_identity="caller",
            from_number=DID,
            journal=cast("Any", self.journal),
            hearing=RoomHearing(self.livekit, room, parties, asyncio.Event().wait),
            dialler=self.dialler,
            voice=self.agent,
            detection=cast("Any", None),
            policy=self.policy,
            may_dial=self.may_dial,
            find_trunk=no_trunk,
        )
        rules = DiallingRules(allow=self.policy.patterns, own_numbers=frozenset({DID}))
        targets = Targets(self.policy, rules, AGENT_ID, None, self.find_agent)
        self.control = CallControl(
            parts, self.agent, cast("HoldMusic", self.music), targets, can_refer=True
        )
        dial = self.dialler.dial

        async def dial_and_join(request: Any) -> Any:
            self.livekit.present.add(request.identity)
            joined = participant(request.identity, "human_mic")
            self.room.remote_participants[request.identity] = joined
            self.room.emit("participant_connected", joined)
            return await dial(request)

        self.dialler.dial = dial_and_join  # type: ignore[method-assign]

    async def find_agent(self, number: E164) -> uuid.UUID | None:
        return {OWN_SECOND: AGENT_ID}.get(number)

    async def may_dial(self, hostname: str) -> bool:
        return hostname == "pbx.example"

    @property
    def human(self) -> Any:
        return self.room.remote_participants[self.dialler.dialled[-1].identity]

    def press(self, digit: str) -> None:
        """Let the human press a key."""
        self.room.emit("sip_dtmf_received", SimpleNamespace(participant=self.human, digit=digit))

    def leave(self, one: Any) -> None:
        """Let somebody leave the room."""
        one.disconnect_reason = rtc.DisconnectReason.CLIENT_INITIATED
        self.room.remote_participants.pop(one.identity)
        self.room.emit("participant_disconnected", one)
