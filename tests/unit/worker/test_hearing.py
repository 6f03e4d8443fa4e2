"""Who hears whom in a call's room, kept as arranged whoever comes, goes or fails."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc

from telephony import hearing
from telephony.errors import VendorUnavailable
from telephony.hearing import Party, Role
from tests.fakes.livekit_legs import FakeHearing
from tests.waiting import until
from worker.hearing import RoomHearing

pytestmark = pytest.mark.unit

CALLER = Party("caller", Role.CALLER)
AGENT = Party("agent", Role.AGENT)
HUMAN = Party("human", Role.HUMAN)


def participant(identity: str, *names: str) -> Any:
    tracks = {
        f"TR_{identity}_{name}": SimpleNamespace(
            sid=f"TR_{identity}_{name}", name=name, kind=rtc.TrackKind.KIND_AUDIO
        )
        for name in names
    }
    kind = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    return SimpleNamespace(identity=identity, track_publications=tracks, kind=kind)


class Room(rtc.EventEmitter[Any]):
    """A room with an agent that speaks and plays music, and a caller."""

    name = "call_1"

    def __init__(self) -> None:
        super().__init__()
        self.local_participant = participant("agent", "voice", "hold_music")
        self.remote_participants = {"caller": participant("caller", "mic")}
        self.asked = asyncio.Event()


VOICE, MUSIC = "TR_agent_voice", "TR_agent_hold_music"
CALLER_MIC, HUMAN_MIC = "TR_caller_mic", "TR_human_mic"


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def control() -> FakeHearing:
    """LiveKit, where the caller's leg subscribed to both tracks of the agent by itself."""
    return FakeHearing(wanted={("caller", VOICE), ("caller", MUSIC)}, present={"caller"})


@pytest.fixture
def heard(control: FakeHearing, room: Room) -> RoomHearing:
    return RoomHearing(control, cast("rtc.Room", room), [CALLER, AGENT], room.asked.wait)


def human_joins(room: Room, control: FakeHearing) -> None:
    """Let the human's leg join, subscribe to everything, and be subscribed to by the caller's."""
    joined = participant("human", "mic")
    room.remote_participants["human"] = joined
    control.present.add("human")
    control.wanted |= {("human", CALLER_MIC), ("human", VOICE), ("human", MUSIC)}
    control.wanted |= {("caller", HUMAN_MIC)}
    room.emit("participant_connected", joined)
    room.emit("track_published", joined.track_publications[HUMAN_MIC], joined)


async def wait_until_told(control: FakeHearing, identity: str) -> Sequence[str]:
    """Return the tracks that somebody is told next not to hear."""
    told: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()
    set_heard = control.set_heard

    async def watched(
        room_name: str, listener: str, track_ids: Sequence[str], *, heard: bool
    ) -> None:
        await set_heard(room_name, listener, track_ids, heard=heard)
        if listener == identity and not heard and not told.done():
            told.set_result(track_ids)

    control.set_heard = watched  # type: ignore[method-assign]
    try:
        return await told
    finally:
        control.set_heard = set_heard  # type: ignore[method-assign]


async def test_on_hold_the_caller_hears_the_music_alone_and_then_the_agent_alone(
    heard: RoomHearing, control: FakeHearing
) -> None:
    await heard.arrange(hearing.hold)
    assert control.heard_by("caller") == {MUSIC}

    await heard.arrange(hearing.talk)
    assert control.heard_by("caller") == {VOICE}


async def test_a_new_track_is_heard_by_nobody_until_it_is_placed(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    await until(lambda: HUMAN_MIC not in control.heard_by("caller"))

    assert control.heard_by("caller") == {MUSIC}


async def test_an_ear_opens_only_after_everything_it_must_not_hear_was_taken(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    control.present.add("human")
    await heard.shut_ear("human")
    human_joins(room, control)
    opened: list[set[str]] = []
    set_ear = control.set_ear

    async def watched(room_name: str, identity: str, *, is_open: bool) -> None:
        await set_ear(room_name, identity, is_open=is_open)
        opened.append(control.heard_by(identity))

    control.set_ear = watched  # type: ignore[method-assign]
    await heard.open_ear("human", hearing.consult)

    assert opened == [{VOICE}]
    assert control.heard_by("human") == {VOICE}
    assert control.heard_by("caller") == {MUSIC}
    await heard.arrange(hearing.merge)
    assert control.heard_by("human") == {CALLER_MIC}
    assert control.heard_by("caller") == {HUMAN_MIC}


async def test_a_step_that_fails_is_undone_with_all_before_it(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    await heard.open_ear("human", hearing.consult)
    before = heard.now
    control.fails_for.add("human")

    with pytest.raises(VendorUnavailable):
        await heard.arrange(hearing.merge)

    assert heard.now == before
    assert control.heard_by("caller") == {MUSIC}


async def test_a_step_that_is_still_on_its_way_when_another_fails_is_undone_too(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    await heard.open_ear("human", hearing.consult)
    set_heard, answers = control.set_heard, asyncio.Event()

    async def slow(room_name: str, identity: str, track_ids: Any, *, heard: bool) -> None:
        if heard and CALLER_MIC in track_ids:
            raise VendorUnavailable("livekit", "set_heard", "could not be reached")
        if heard and HUMAN_MIC in track_ids:
            await answers.wait()
        await set_heard(room_name, identity, track_ids, heard=heard)

    control.set_heard = slow  # type: ignore[method-assign]
    merging = asyncio.ensure_future(heard.arrange(hearing.merge))
    for _ in range(20):
        await asyncio.sleep(0)
    answers.set()
    with pytest.raises(VendorUnavailable):
        await merging
    for _ in range(20):
        await asyncio.sleep(0)

    assert control.heard_by("caller") == {MUSIC}


async def test_keys_are_held_back_from_the_human_and_given_back_to_the_agent(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    assert control.keyless == {"caller"}
    heard.expect(HUMAN)
    human_joins(room, control)
    await heard.open_ear("human", hearing.consult)
    assert control.keyless == {"caller"}
    await heard.arrange(hearing.merge)
    assert control.keyless == {"caller", "human"}
    await heard.arrange(hearing.merge_with_keys)
    assert control.keyless == set()
    heard.forget("human")
    await heard.arrange(hearing.talk)
    assert "caller" not in control.keyless


async def test_keys_are_back_where_they_were_when_a_merge_fails(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    await heard.open_ear("human", hearing.consult)
    set_heard = control.set_heard

    async def failing(room_name: str, identity: str, track_ids: Any, *, heard: bool) -> None:
        if heard and CALLER_MIC in track_ids:
            raise VendorUnavailable("livekit", "set_heard", "could not be reached")
        await set_heard(room_name, identity, track_ids, heard=heard)

    control.set_heard = failing  # type: ignore[method-assign]
    with pytest.raises(VendorUnavailable):
        await heard.arrange(hearing.merge_with_keys)

    assert control.keyless == {"caller"}


async def test_a_telephone_that_comes_back_while_its_keys_are_held_back_is_told_again(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    control.keyless.clear()
    room.emit("participant_connected", room.remote_participants["caller"])
    await until(lambda: "caller" in control.keyless)


async def test_what_a_browser_may_send_is_left_to_its_token(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    room.remote_participants["caller"].kind = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD

    await heard.arrange(hearing.hold)

    assert control.keyless == set()
    assert control.heard_by("caller") == {MUSIC}


async def test_a_listener_who_left_does_not_stop_the_others_from_being_placed(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    await heard.open_ear("human", hearing.consult)
    del room.remote_participants["human"]
    control.present.discard("human")

    await heard.arrange(hearing.talk)

    assert control.heard_by("caller") == {VOICE}


async def test_who_comes_back_has_the_same_place_again(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    control.wanted = {("caller", VOICE), ("caller", MUSIC)}
    room.emit("participant_connected", room.remote_participants["caller"])
    await until(lambda: VOICE not in control.heard_by("caller"))

    assert control.heard_by("caller") == {MUSIC}


async def test_who_left_for_good_is_known_no_longer(heard: RoomHearing) -> None:
    heard.expect(HUMAN)
    await heard.arrange(hearing.merge)
    heard.forget("human")

    assert heard.now.pairs == frozenset()


async def test_a_closed_room_is_watched_no_longer(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    heard.close()
    human_joins(room, control)
    await asyncio.sleep(0)

    assert HUMAN_MIC in control.heard_by("caller")


async def test_a_leg_that_asks_for_a_track_after_it_was_told_not_to_hear_it_is_told_until_it_has(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    control.wanted -= {("caller", HUMAN_MIC)}
    async with asyncio.timeout(30):
        for _ in range(3):
            assert HUMAN_MIC in await wait_until_told(control, "caller")
    # The loaded machine: only now the caller's leg has heard of the human's track.
    control.wanted |= {("caller", HUMAN_MIC)}
    room.asked.set()
    await until(lambda: HUMAN_MIC not in control.heard_by("caller"))

    assert control.heard_by("caller") == {MUSIC}


async def test_a_leg_that_asks_for_everything_after_its_ear_was_opened_is_told_again(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    await heard.open_ear("human", hearing.consult)
    control.wanted |= {("human", CALLER_MIC), ("human", MUSIC)}
    await until(lambda: control.heard_by("human") == {VOICE})


async def test_a_leg_is_told_what_not_to_hear_also_while_a_slow_change_is_under_way(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    slow = asyncio.Event()
    set_ear = control.set_ear

    async def slowly(room_name: str, identity: str, *, is_open: bool) -> None:
        await slow.wait()
        await set_ear(room_name, identity, is_open=is_open)

    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    control.set_ear = slowly  # type: ignore[method-assign]
    opening = asyncio.ensure_future(heard.open_ear("human", hearing.consult))
    await asyncio.sleep(0)
    control.wanted |= {("caller", HUMAN_MIC)}
    await until(lambda: HUMAN_MIC not in control.heard_by("caller"))
    assert not opening.done()
    slow.set()
    await opening
    assert heard.now.heard_by("human") == {AGENT.voice}


async def test_what_a_change_under_way_lets_somebody_hear_is_not_taken_from_them(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    slow, under_way = asyncio.Event(), asyncio.Event()
    set_ear = control.set_ear

    async def slowly(room_name: str, identity: str, *, is_open: bool) -> None:
        await set_ear(room_name, identity, is_open=is_open)
        under_way.set()
        await slow.wait()

    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    control.set_ear = slowly  # type: ignore[method-assign]
    opening = asyncio.ensure_future(heard.open_ear("human", hearing.merge))
    async with asyncio.timeout(30):
        await under_way.wait()
        for _ in range(3):
            told = await wait_until_told(control, "caller")
            assert HUMAN_MIC not in told
    assert HUMAN_MIC in control.heard_by("caller")
    slow.set()
    await opening


async def test_who_leaves_while_livekit_is_asked_about_them_keeps_nobody_waiting(
    heard: RoomHearing, control: FakeHearing, room: Room
) -> None:
    await heard.arrange(hearing.hold)
    heard.expect(HUMAN)
    human_joins(room, control)
    set_heard, asked = control.set_heard, asyncio.Event()

    async def slow(room_name: str, identity: str, track_ids: Sequence[str], *, heard: bool) -> None:
        if identity == "human":
            # As LiveKit does for those who are gone, only that it gives up after three seconds.
            asked.set()
            await asyncio.Event().wait()
        await set_heard(room_name, identity, track_ids, heard=heard)

    control.set_heard = slow  # type: ignore[method-assign]
    room.asked.set()
    await asyncio.wait_for(asked.wait(), 30)
    arranging = asyncio.ensure_future(heard.arrange(hearing.talk))
    room.emit("participant_disconnected", room.remote_participants.pop("human"))
    await asyncio.wait_for(arranging, 30)

    assert control.heard_by("caller") == {VOICE}
