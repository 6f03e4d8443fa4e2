"""What LiveKit's webhooks tell about calls: hints that save time, never the truth."""

from dispatch.live_calls import LiveCalls
from dispatch.voice_sessions import VoiceSessions
from telephony.ports import RoomEvent


class RoomEventsHandler:
    """Turns room events into ringing and missed calls.

    A call it never hears of is put on record by admission; a missed one it never hears of by the
    reaper.
    """

    def __init__(self, live_calls: LiveCalls, voice_sessions: VoiceSessions) -> None:
        self._live_calls = live_calls
        self._voice_sessions = voice_sessions

    async def handle(self, event: RoomEvent) -> None:
        """Take one verified event; events of rooms that are not ours are ignored.

        Raises:
            StoreUnavailable: Redis could not be reached; LiveKit sends the event again.
        """
        raise NotImplementedError
