"""What LiveKit's webhooks tell about calls: hints that save time, never the truth."""

from datetime import timedelta
from typing import Final

from dispatch.calls import CallEnd
from dispatch.live_calls import SIP_ROOM_PREFIX, LiveCalls
from dispatch.sip_arrivals import sip_arrival
from telephony.calls import CallKind, EndedBy, EndReason
from telephony.ports import ObservedParticipant, RoomControl, RoomEvent

ABANDONED: Final = CallEnd(EndedBy.CALLER, EndReason.ABANDONED)
"""The caller gave up before anybody answered."""

NO_WORKER: Final = CallEnd(EndedBy.SYSTEM, EndReason.NO_WORKER)
"""The call rang until LiveKit gave up."""

_RANG_OUT: Final = timedelta(seconds=19)
"""A caller whose leg goes after this long did not give up: the trunk's `ringing_timeout` of 20 s
passed. LiveKit gives the same disconnect reason for both."""


class RoomEventsHandler:
    """Turns room events into ringing and missed calls, and hangs up on who comes back too late.

    A call it never hears of is put on record by admission; a missed one it never hears of by the
    reaper. Events come twice, late and in any order: what they ask for happens once, because a
    call rings once and ends once.

    Args:
        live_calls: Which calls there are.
        rooms: Where a room is deleted whose call is over.
    """

    def __init__(self, live_calls: LiveCalls, rooms: RoomControl) -> None:
        self._live_calls = live_calls
        self._rooms = rooms

    async def handle(self, event: RoomEvent) -> None:
        """Take one verified event; events of rooms that are not ours are ignored.

        Raises:
            StoreUnavailable: Redis could not be reached; LiveKit sends the event again.
            VendorError: LiveKit could not be reached; likewise.
        """
        participant = event.participant
        if event.type == "room_finished":
            await self._room_finished(event)
        elif participant is None or participant.kind != "sip":
            # A web caller who reloads the page leaves and joins again: only its room tells.
            return
        elif event.type == "participant_joined":
            await self._leg_joined(event.room_name, participant)
        elif event.type == "participant_left":
            await self._caller_left(event, participant)

    async def _leg_joined(self, room_name: str, participant: ObservedParticipant) -> None:
        call = await self._live_calls.find_in_room(room_name)
        if call is None:
            if room_name.startswith(SIP_ROOM_PREFIX):
                await self._live_calls.ring(
                    sip_arrival(room_name, participant.identity, participant.attributes)
                )
        elif call.kind is CallKind.SIP and call.state.is_final:
            # A LiveKit that was restarted opens the room anew for each telephone that comes back,
            # and nobody is there to talk to it.
            await self._rooms.delete_room(room_name)

    async def _room_finished(self, event: RoomEvent) -> None:
        call = await self._live_calls.find_in_room(event.room_name)
        if call is None or call.admitted:
            return
        if call.kind is CallKind.SIP:
            await self._live_calls.miss(call.call_id, NO_WORKER)
        elif event.at >= call.rang_at:
            # Else it tells late of a room that had this name before.
            await self._live_calls.miss(call.call_id, ABANDONED)

    async def _caller_left(self, event: RoomEvent, participant: ObservedParticipant) -> None:
        call = await self._live_calls.find_in_room(event.room_name)
        if call is None or call.admitted:
            return
        joined_at = participant.joined_at or event.at
        rang_out = event.at - joined_at >= _RANG_OUT
        await self._live_calls.miss(call.call_id, NO_WORKER if rang_out else ABANDONED)
