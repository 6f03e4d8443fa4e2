"""Transfers over a carrier, from a browser and by a realtime model, and whose keys reach whom."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from livekit import rtc

from stack.supervisor import Stack
from telephony.softphone.call import PhoneCall
from telephony.softphone.digest import Credentials
from telephony.softphone.incoming import CallHandler, IncomingCall, reject_with
from telephony.softphone.phone import PhoneOptions, Softphone
from tests.e2e import ear
from tests.e2e.conftest import NUMBERS, Dial, Office
from tests.e2e.ear import CALLER_HZ, HUMAN_HZ, hum, humming
from tests.e2e.talking import has_told, say_until, went_like
from tests.e2e.transferring import (
    LOST_LEG_S,
    NOT_ALLOWED,
    SUMMARY,
    ended_record,
    events,
    hear_out,
    is_passed_on,
    transferring_agent,
)
from tests.e2e.waiting import PATIENCE_S, said, until
from tests.servers.openai import openai_server
from tests.servers.vendor import KEY, Answer, Brain, Vendor

pytestmark = pytest.mark.e2e

ABROAD = "+12015550155"
PASSWORD = "as agreed with the carrier"
ACCOUNT = Credentials("dialplane", PASSWORD)


class Carrier:
    """A carrier's telephone exchange: it does what is coming with each call, then lets it wait."""

    def __init__(self, *coming: CallHandler) -> None:
        self.coming = list(coming)
        self.calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
        self.did_all = asyncio.Event()

    async def take(self, incoming: IncomingCall) -> None:
        if self.coming:
            await self.coming.pop(0)(incoming)
            if not self.coming:
                self.did_all.set()
        else:
            self.calls.put_nowait(incoming)

    async def answered(self) -> tuple[IncomingCall, PhoneCall]:
        incoming = await asyncio.wait_for(self.calls.get(), PATIENCE_S)
        incoming.ring()
        return incoming, await incoming.answer()


@asynccontextmanager
async def exchange(carrier: Carrier) -> AsyncIterator[Softphone]:
    options = PhoneOptions(required_credentials=ACCOUNT)
    async with Softphone(on_call=carrier.take, options=options) as phone:
        yield phone


async def number_over(
    office: Office, exchange: Softphone, agent_id: str | None, password: str
) -> tuple[str, str]:
    """Create a number of a carrier that can be called; return it and the connection's id."""
    connection = await office.api.post(
        "/v1/carrier-connections",
        {"name": "Carrier", "provider": "sip-legs", "allowedAddresses": ["127.0.0.0/8"]},
    )
    await terminate(office, connection["id"], exchange, password)
    number = next(NUMBERS)
    made = await office.api.post(
        "/v1/chat/phone-numbers",
        {
            "provider": "sip-legs",
            "number": number,
            "connectionId": connection["id"],
            "agentId": agent_id,
        },
    )

    async def active() -> bool | None:
        found = await office.api.get(f"/v1/chat/phone-numbers/{made['id']}")
        return True if found["status"] == "active" else None

    await until(active)
    return number, connection["id"]


async def terminate(office: Office, connection_id: str, exchange: Softphone, password: str) -> None:
    await office.api.send(
        "PUT",
        f"/v1/carrier-connections/{connection_id}/termination",
        json={
            "uri": exchange.uri("x").partition("@")[2],
            "username": ACCOUNT.username,
            "password": password,
        },
    )


def digits(call: PhoneCall) -> str:
    return "".join(one.digit for one in call.received_digits)


async def test_a_bridge_over_the_carrier_has_its_outcome_and_relays_keys_where_that_is_asked_for(
    office: Office, dial: Dial
) -> None:
    carrier = Carrier(reject_with(403), reject_with(486))
    async with exchange(carrier) as phone:
        agent = await transferring_agent(
            office, [ABROAD], mode="cold", carrierTransfers=False, relayKeys=True
        )
        number, connection_id = await number_over(office, phone, agent["id"], "wrong")
        async with dial(number) as caller:
            await hear_out(caller)
            for outcome in (
                "I could not reach anybody there",
                "the call was not taken",
                "the line is busy",
            ):
                await caller.send_dtmf("1")
                await has_told(office, number, f"I am sorry, {outcome}.")
                await terminate(office, connection_id, phone, PASSWORD)
            await caller.send_dtmf("1")
            incoming, human = await carrier.answered()
            async with humming(caller, CALLER_HZ):
                await ear.hears(human, "caller_dbfs")
            await is_passed_on(office, number)
            await caller.send_dtmf("42")
            await human.wait_for_digits(2, timeout_s=PATIENCE_S)
            await human.send_dtmf("5")
            await caller.wait_for_digits(1, timeout_s=PATIENCE_S)
            await human.hang_up()
            await asyncio.wait_for(caller.ended, LOST_LEG_S)

    assert (incoming.callee, incoming.caller) == (ABROAD, number)
    assert incoming.invite.headers["X-Dialplane-Hops"] == "1"
    assert (digits(human), digits(caller)) == ("42", "5")
    record = await ended_record(office, number)
    assert [(one["outcome"], one["sip_code"]) for one in events(record, "transfer.failed")] == [
        *(("failed", None), ("refused", 403), ("busy", 486))
    ]
    of_caller, *legs = record["legs"]
    assert (of_caller["role"], of_caller["target"]) == ("caller", record["callerNumber"])
    assert of_caller["billedS"] == record["billedS"]
    assert [(leg["target"], leg["state"], leg["outcome"], leg["sipCode"]) for leg in legs] == [
        (ABROAD, "missed", "failed", None),
        (ABROAD, "missed", "refused", 403),
        (ABROAD, "missed", "busy", 486),
        (ABROAD, "ended", "accepted", None),
    ]
    [billed] = [part for part in record["usage"] if part["model"] == "outbound_leg"]
    assert sum(leg["billedS"] for leg in legs) == billed["quantity"] > 0
    assert PASSWORD not in str(record)


async def test_in_a_warm_transfer_over_the_carrier_no_key_of_one_reaches_the_other(
    office: Office, dial: Dial, stack: Stack
) -> None:
    carrier = Carrier()
    async with exchange(carrier) as phone:
        agent = await transferring_agent(office, [ABROAD])
        number, _ = await number_over(office, phone, agent["id"], PASSWORD)
        async with dial(number) as caller:
            await hear_out(caller)
            await caller.send_dtmf("1")
            incoming, human = await carrier.answered()
            await human.wait_for_audio(timeout_s=PATIENCE_S)
            # On hold, the caller presses for nobody; the human's key is for the agent.
            await caller.send_dtmf("77")
            await human.send_dtmf("1")
            async with humming(caller, CALLER_HZ):
                await ear.hears(human, "caller_dbfs")
            await is_passed_on(office, number)
            await caller.send_dtmf("88")
            await human.send_dtmf("99")
            await human.hang_up()
            await asyncio.wait_for(caller.ended, LOST_LEG_S)
        # Somebody else's system passed this call on too often: it stays with the agent.
        async with Softphone() as desk:
            again = await desk.call(
                f"sip:{number}@{stack.sip_address}",
                from_user="+12015550177",
                headers={"X-Dialplane-Hops": "5"},
            )
            await hear_out(again)
            await again.send_dtmf("1")
            await has_told(office, number, NOT_ALLOWED)
            await again.hang_up()

    assert (incoming.callee, incoming.caller) == (ABROAD, number)
    assert digits(human) == ""
    # livekit-sip hands the key by which the human accepted to every telephone.
    assert digits(caller) in {"", "1"}

    async def both() -> list[dict[str, Any]] | None:
        found = await office.calls(number)
        return found if [one["state"] for one in found] == ["ended"] * 2 else None

    refused, record = await until(both)
    assert events(record, "transfer.accepted")[0]["by"] == "key"
    assert [leg["outcome"] for leg in record["legs"]] == ["hang_up", "accepted"]
    assert ("agent", NOT_ALLOWED) in said(refused)
    assert len(refused["legs"]) == 1


class Browser:
    """A caller on the web: hums, and hears whether a tone of somebody reaches it."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self._source = rtc.AudioSource(48_000, 1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard: asyncio.Queue[float] = asyncio.Queue()
        self.room.on("track_subscribed", lambda track, *_: self._run(self._listen(track)))

    async def join(self, url: str, token: str) -> None:
        await self.room.connect(url, token)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, options)

    def hum(self, hz: float) -> None:
        """Hum until the call is over."""
        second = np.repeat(hum(hz), 6)
        self._run(self._hum(second))

    async def hears(self, hz: float) -> None:
        """Return once somebody's tone is heard, whatever else was before."""
        async with asyncio.timeout(PATIENCE_S):
            while abs(await self._heard.get() - hz) > 50:
                pass

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.room.disconnect()

    async def _hum(self, sound: Any) -> None:
        frames = [sound[start : start + 480] for start in range(0, len(sound), 480)]
        while True:
            for frame in frames:
                await self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), 48_000, 1, 480))

    async def _listen(self, track: rtc.Track) -> None:
        heard = np.zeros(0, np.int16)
        async for event in rtc.AudioStream.from_track(track=track, sample_rate=8_000):
            heard = np.concatenate([heard, np.frombuffer(event.frame.data, np.int16)])
            while len(heard) >= 800:
                window, heard = heard[:800], heard[800:]
                spectrum = np.abs(np.fft.rfft(window))
                if spectrum.max() > 100_000:
                    self._heard.put_nowait(float(np.argmax(spectrum)) * 10)

    def _run(self, work: Any) -> None:
        self._tasks.add(asyncio.ensure_future(work))


async def test_a_caller_in_a_browser_is_passed_on_too_over_a_number_of_the_project(
    office: Office,
) -> None:
    carrier = Carrier()
    async with exchange(carrier) as phone:
        number, _ = await number_over(office, phone, None, PASSWORD)
        agent = await transferring_agent(office, [ABROAD], fromNumber=number, acceptTimeoutS=60)
        session = await office.api.post("/v1/voice/sessions", {"agentId": agent["id"]})
        call_id = str(uuid.UUID(session["id"].removeprefix("vs_")))
        browser = Browser()
        await browser.join(session["serverUrl"], session["token"])
        try:
            await in_state(office, call_id, "active")
            passing = asyncio.ensure_future(
                office.api.post(f"/v1/calls/{call_id}/transfer", {"summary": SUMMARY})
            )
            incoming, human = await carrier.answered()
            await human.wait_for_audio(timeout_s=PATIENCE_S)
            browser.hum(CALLER_HZ)
            passed = await say_until(human, "yes", passing)
            assert passed["outcome"] == "accepted"
            async with humming(human, HUMAN_HZ):
                await browser.hears(HUMAN_HZ)
                await ear.hears(human, "caller_dbfs")
            await human.hang_up()
            record = await in_state(office, call_id, "ended")
        finally:
            await browser.leave()

    assert (incoming.callee, incoming.caller) == (ABROAD, number)
    assert (record["endedBy"], record["endReason"]) == ("human", "hang_up")
    assert [one["by"] for one in events(record, "transfer.accepted")] == ["word"]
    assert [(leg["target"], leg["outcome"]) for leg in record["legs"]] == [
        (None, "hang_up"),
        (ABROAD, "accepted"),
    ]


async def in_state(office: Office, call_id: str, state: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        # A call is on record a moment after it began.
        found = (await office.api.get("/v1/calls", state=state))["data"]
        if call_id not in [one["id"] for one in found]:
            return None
        record: dict[str, Any] = await office.api.get(f"/v1/calls/{call_id}")
        return record

    return await until(look)


async def test_a_realtime_model_passes_a_call_on_and_goes_on_when_nobody_takes_it(
    office: Office, dial: Dial
) -> None:
    please, sorry = "i want to talk to a person", "Nobody is there."
    brain = Brain(
        {please: Answer("One moment.", "transfer_call", {"summary": SUMMARY})}, after_tool=sorry
    )
    desk = Carrier(reject_with(486))
    async with (
        openai_server(Vendor(brain, [please])) as openai,
        Softphone(on_call=desk.take) as phone,
    ):
        await office.api.send("PUT", "/v1/secrets/openai", json={"values": {"api_key": KEY}})
        agent = await office.agent(
            script={},
            greeting="Hello.",
            voicePipelineMode="sts",
            models={"realtime": {"baseUrl": openai.base_url}},
            transfer={
                "targets": [phone.uri("desk")],
                "ringTimeoutS": 60,
                "acceptTimeoutS": 60,
            },
        )
        number = await office.number(agent["id"])
        async with dial(number) as caller:
            await hear_out(caller)
            await say_until(caller, please, desk.did_all.wait())
            await has_told(office, number, sorry)
            await caller.wait_for_quiet(quiet_s=1, timeout_s=PATIENCE_S)
            _, human = await say_until(caller, please, desk.answered())
            await human.wait_for_audio(timeout_s=PATIENCE_S)
            await human.send_dtmf("1")
            async with humming(caller, CALLER_HZ):
                await ear.hears(human, "caller_dbfs")
            await is_passed_on(office, number)
            await caller.hang_up()
            await asyncio.wait_for(human.ended, LOST_LEG_S)

    record = await ended_record(office, number)
    assert [leg["outcome"] for leg in record["legs"][1:]] == ["busy", "accepted"]
    conversed = [
        ("agent", "Hello."),
        *(("caller", please), ("agent", "One moment."), ("agent", sorry)),
        *(("caller", please), ("agent", "One moment.")),
    ]
    assert went_like(record, conversed, brain.fallback), said(record)
