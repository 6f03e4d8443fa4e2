"""One call from the job's start to its end: join, identify, admit, converse, close."""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final

from livekit import rtc
from livekit.agents import JobContext, llm

from dispatch.calls import Arrival, RefusalReason, Refused, call_id_of_sip_room
from dispatch.errors import StoreUnavailable
from dispatch.live_calls import SIP_ROOM_PREFIX
from dispatch.outbound_call import OUTBOUND_ROOM_PREFIX
from dispatch.sip_arrivals import sip_arrival
from telephony.calls import CallDirection, CallKind
from worker.active_call import ActiveCall, able_to_talk, vendors_of
from worker.attendant import attend, is_taken
from worker.bootstrap import JobServices, open_services
from worker.call_control import CallControl
from worker.closing import hang_up, settle
from worker.command_runner import CommandRunner
from worker.conversation import Conversation
from worker.ending import AGENT_FAILED, PROVIDER_FAILED, WORKER_LOST, Ending
from worker.held_keys import HeldKeys
from worker.line import Line, LineDownError, join
from worker.metering import Meter, MeterLimits, run_meter
from worker.outbound import ANSWER_TIMEOUT_S, OutboundLeg, is_outbound, placed_arrival, seen_from
from worker.pipelines import VendorModels, WarmModels
from worker.process_end import end_process_within
from worker.tools.call_tools import call_tools
from worker.tools.http import http_tools
from worker.tools.search_knowledge import search_knowledge_tools
from worker.transcript import CallJournal
from worker.transfers.hosts import may_dial
from worker.usage import CallUsage
from worker.vendors.account import ModelUnavailableError
from worker.warm import WARM, WarmProcess, warm_up
from worker.wiring import call_control_of

logger = logging.getLogger(__name__)

_STOP_TIMEOUT_S: Final = 2.0
"""How long the agent may take to stop. Together with `settle_timeout` it stays under the 15 s
that livekit-agents grants an entrypoint whose room is gone."""


class CallTakenError(Exception):
    """Another job has the call; its room must be left as it is."""


class SeatRefusedError(Exception):
    """One of several agents has nobody to talk with, or may not; its room is left to the others."""


async def answer_call(ctx: JobContext) -> None:
    """Take one call: the entrypoint of every job.

    It returns when the call is over and settled; whatever happened, the caller's line is down by
    then and the job ends with it. Only a call that is another job's goes on without this one.
    """
    try:
        warm: WarmProcess = ctx.proc.userdata.get(WARM) or warm_up()
        # Joining takes a tenth of a second; by then everything else is open as well.
        joining = asyncio.ensure_future(join(ctx))
        try:
            await asyncio.sleep(0)
            await _answer(ctx, joining, warm)
        finally:
            joining.cancel()
    finally:
        end_process_within()
        ctx.shutdown("the call is over")


async def _answer(ctx: JobContext, joining: asyncio.Future[Line], warm: WarmProcess) -> None:
    async with open_services(warm.settings) as services:
        is_ours = True
        try:
            await _take_call(ctx, joining, services, warm.models)
        except CallTakenError:
            is_ours = False
            logger.warning("call is another job's")
        except SeatRefusedError:
            # Where nobody else talks either, dispatch finds the room left behind.
            is_ours = False
        finally:
            if is_ours:
                await hang_up(services.rooms, ctx.job.room.name, _sid_to_compare(ctx))


def _sid_to_compare(ctx: JobContext) -> str:
    """Return the sid of a client's room: its name may be another room's by now.

    The name of a telephone call's room is that of the call. One that LiveKit opened anew, for a
    telephone that came back, is to be hung up on like the first: no sid tells them apart.
    """
    is_telephones = ctx.job.room.name.startswith((SIP_ROOM_PREFIX, OUTBOUND_ROOM_PREFIX))
    return "" if is_telephones else ctx.job.room.sid


async def _take_call(
    ctx: JobContext, joining: asyncio.Future[Line], services: JobServices, models: WarmModels
) -> None:
    line, _ = await asyncio.gather(joining, _reach_redis(ctx.job.room.name, services))
    arrival = await identify(line, services, ctx.job.metadata)
    if arrival is None:
        if ctx.job.metadata:
            raise SeatRefusedError
        return
    ctx.log_context_fields = {"call_id": str(arrival.call_id)}
    call = await admit(line, arrival, ctx.job.id, services)
    if call is None:
        # Leaving before the room is deleted spares the media engine an error for each refusal.
        await ctx.room.disconnect()
        if arrival.seat:
            raise SeatRefusedError
        return
    await _hold(replace(call, room_sid=_sid_to_compare(ctx)), models, services)


async def _reach_redis(room_name: str, services: JobServices) -> None:
    try:
        await services.live_calls.find(call_id_of_sip_room(room_name))
    except StoreUnavailable:
        # Admission asks again and refuses the call if Redis is still away.
        logger.warning("Redis is away")


async def identify(line: Line, services: JobServices, seat: str = "") -> Arrival | None:
    """Return who calls, or None when nobody does: they left, never came or have no session.

    None puts nothing on record here; `dispatch` sees the room go and knows what had been rung.
    """
    timeout_s = services.worker_settings.caller_timeout.total_seconds()
    try:
        async with asyncio.timeout(timeout_s):
            if is_outbound(line.room.name):
                return await placed_arrival(line.room.name, services.trunks)
            caller = await line.wait_for_caller()
            if caller.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
                return sip_arrival(line.room.name, caller.identity, caller.attributes)
            voice_session = await services.voice_sessions.find(line.room.name, seat)
            if voice_session is None:
                logger.warning("room has no voice session")
                return None
            await line.wait_for_caller(voice_session.caller_identity)
            return voice_session.to_arrival()
    except (LineDownError, TimeoutError):
        logger.info("nobody called")
    except StoreUnavailable:
        logger.warning("caller unknown, Redis is away")
    return None


async def admit(
    line: Line, arrival: Arrival, job_id: str, services: JobServices
) -> ActiveCall | None:
    """Return the call with its slot leased and its first credit reserved, or None if refused.

    Nothing has been published by now, so a refused caller was never answered.

    Raises:
        CallTakenError: Another job has the call.
    """
    admission = await services.live_calls.admit(arrival, job_id)
    if isinstance(admission, Refused):
        if admission.reason is RefusalReason.ALREADY_TAKEN:
            raise CallTakenError
        logger.info("call refused", extra={"reason": admission.reason.value})
        return None
    limits = MeterLimits.of(admission.agent, services.dispatch_settings.heartbeat_interval)
    return ActiveCall(
        line=line,
        arrival=arrival,
        admitted=admission,
        journal=CallJournal(services.live_calls, arrival.call_id),
        meter=Meter(limits, admission.funded_s, time.monotonic()),
        usage=CallUsage(admission.agent.models),
    )


async def _hold(call: ActiveCall, warm: WarmModels, services: JobServices) -> None:
    async with vendors_of(call, services) as vendors:
        await _hold_with(vendors, call, warm, services)


async def _hold_with(
    vendors: VendorModels, call: ActiveCall, warm: WarmModels, services: JobServices
) -> None:
    ending = call.line.ending
    writing = _watched(call.journal.run(), ending)
    conversation: Conversation | None = None
    control: CallControl | None = None
    commands: CommandRunner | None = None
    try:
        call, conversation = await able_to_talk(call, warm, vendors)
        control = call_control_of(
            call.line, call.arrival, call.admitted.agent, call.journal, conversation, warm, services
        )
        call.usage.count_legs(control.placed_legs_s)
        conversation.before_goodbye = control.be_heard
        commands = CommandRunner(services.commands, control, call.journal, call.arrival.call_id)
        await converse(call, conversation, control, commands, services)
    except ModelUnavailableError as exc:
        logger.warning("model unavailable", extra={"service": exc.failure.service})
        call.journal.provider_failed(exc.failure)
        ending.cut_off(PROVIDER_FAILED)
    except LineDownError:
        logger.info("over before the answer")
    except asyncio.CancelledError:
        ending.cut_off(WORKER_LOST)
        raise
    finally:
        ending.cut_off(AGENT_FAILED)
        if control is not None:
            await control.close()
        await close(call, conversation, commands, services)
        writing.cancel()


async def converse(
    call: ActiveCall,
    conversation: Conversation,
    control: CallControl,
    commands: CommandRunner,
    services: JobServices,
) -> None:
    """Answer, greet, and talk until the call is over.

    Raises:
        LineDownError: The caller gave up before the answer.
    """
    settings = services.worker_settings
    ending = call.line.ending
    farewell_s = settings.farewell_timeout.total_seconds()
    profile = call.admitted.agent
    secrets = functools.partial(services.secrets.for_call, profile.project_id)
    watching = _watched(_keep_in_sight(call, services), ending)
    metering = _watched(
        run_meter(
            call.meter,
            lambda: services.live_calls.beat(
                call.arrival.call_id, call.line.answered_at, call.priced_usage()
            ),
            ending,
            warn=conversation.warn,
            say_goodbye=lambda: conversation.say_goodbye(farewell_s),
        ),
        ending,
    )
    held = HeldKeys()
    try:
        tools: list[llm.Tool] = [
            *call_tools(profile, control, conversation, ending, held),
            *http_tools(profile.tools, services.tool_runner, secrets, ending, held),
            *search_knowledge_tools(profile, services.knowledge.look_up, call.usage.count_look_up),
        ]
        answer_timeout_s = settings.answer_timeout.total_seconds()
        if call.arrival.direction is CallDirection.OUTBOUND:
            allowed = functools.partial(may_dial, services.sip_hosts)
            leg = OutboundLeg(call.line, services.dialler, services.trunks, call.journal, allowed)
            conversation.place, answer_timeout_s = leg.place, ANSWER_TIMEOUT_S
        plan = call.admitted.plan
        if plan is not None and plan.fallback_number is not None:
            conversation.pass_on = functools.partial(is_taken, plan.fallback_number, control)
        await conversation.open(tools, answer_timeout_s)
        doing = [_watched(commands.run(), ending)]
        if plan is not None and plan.is_attended:
            doing.append(_watched(attend(plan, conversation, control, call.line), ending))
        try:
            await ending.wait()
        finally:
            for work in doing:
                work.cancel()
    finally:
        metering.cancel()
        watching.cancel()


async def _keep_in_sight(call: ActiveCall, services: JobServices) -> None:
    """Watch a telephone leg; a browser's connection says itself when it is lost."""
    if call.arrival.kind is not CallKind.SIP:
        return
    interval_s = services.dispatch_settings.heartbeat_interval.total_seconds()
    with contextlib.suppress(LineDownError):
        await call.line.wait_for_active(call.arrival.caller_identity)
        await call.line.keep_in_sight(call.arrival.caller_identity, interval_s)


async def close(
    call: ActiveCall,
    conversation: Conversation | None,
    commands: CommandRunner | None,
    services: JobServices,
) -> None:
    """Take the line down, and meanwhile stop the agent, write the record and settle the bill.

    The caller's part waits for nothing: nobody listens to silence while books are kept.
    """
    await asyncio.gather(
        hang_up(services.rooms, call.arrival.room_name, call.room_sid),
        # A LiveKit that does not answer must not use up the time that the bill has.
        _keep_books(call, conversation, commands, services),
    )


async def _keep_books(
    call: ActiveCall,
    conversation: Conversation | None,
    commands: CommandRunner | None,
    services: JobServices,
) -> None:
    cause, at = await call.line.ending.wait()
    cause = seen_from(call.arrival, cause)
    try:
        if commands is not None:
            await commands.close()
        if conversation is not None:
            await conversation.close(_STOP_TIMEOUT_S)
    except Exception:
        # The bill must be settled however the agent takes its leave.
        logger.exception("agent did not stop in order")
    timeout_s = services.worker_settings.settle_timeout.total_seconds()
    started_s = time.monotonic()
    await call.journal.flush(timeout_s)
    left_s = max(1.0, timeout_s - (time.monotonic() - started_s))
    settlement = await settle(
        services.live_calls,
        call.arrival.call_id,
        cause,
        at,
        left_s,
        call.line.answered_at,
        call.priced_usage(),
    )
    logger.info(
        "call over",
        extra={
            "ended_by": cause.ended_by.value,
            "end_reason": cause.end_reason.value,
            "billed_s": settlement.billed_s if settlement is not None else None,
        },
    )


def _watched(work: Coroutine[Any, Any, None], ending: Ending) -> asyncio.Task[None]:
    """Run a part of the call beside it; if the part fails, the call cannot go on."""

    def look_at(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            logger.error("part of the call failed", exc_info=failure)
            ending.cut_off(AGENT_FAILED)

    task = asyncio.ensure_future(work)
    task.add_done_callback(look_at)
    return task
