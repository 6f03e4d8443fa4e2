"""Ends the calls nobody ends: workers that died, callers nobody answered, rooms left behind."""

from dispatch.live_calls import LiveCalls
from telephony.ports import RoomControl


class Reaper:
    """Makes the live view agree with LiveKit's rooms and the workers' heartbeats.

    Safe to run in several processes and to stop anywhere: each step is found again by the next
    run.
    """

    def __init__(self, live_calls: LiveCalls, rooms: RoomControl) -> None:
        self._live_calls = live_calls
        self._rooms = rooms

    async def run_once(self) -> int:
        """Reap once and return how many calls were ended.

        Raises:
            StoreUnavailable: Redis could not be reached.
            VendorUnavailable: LiveKit could not be reached; lapsed calls were settled all the same.
        """
        raise NotImplementedError
