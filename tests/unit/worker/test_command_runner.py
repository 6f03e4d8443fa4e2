"""Commands of the API to a call: in order, each with an answer, an end at any time."""

import asyncio
import uuid
from typing import Any, cast

import pytest

from dispatch.calls import EventType
from dispatch.commands import Command, CommandName, CommandResult, CommandStatus
from dispatch.errors import StoreUnavailable
from telephony.dialling_rules import RefusalCode, TargetRefused
from telephony.errors import VendorUnavailable
from worker.call_errors import CallOver, NotNow
from worker.command_runner import CommandRunner
from worker.transfers.outcome import TransferCode, TransferOutcome

pytestmark = pytest.mark.unit

CALL = uuid.uuid4()


def command(name: CommandName, **arguments: Any) -> Command:
    return Command(uuid.uuid4().hex, name, arguments)


TRANSFER = {"to": None, "mode": "cold", "summary": ""}


class Source:
    """Commands from memory."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Command] = asyncio.Queue()
        self.urgent: list[Command] = []
        self.urgent_fails = False
        self.urgent_failed = asyncio.Event()
        self.answers: dict[str, CommandResult] = {}
        self.answered = asyncio.Condition()
        self.failures: list[Exception] = []

    async def take(self, call_id: uuid.UUID, _wait_s: float) -> Command | None:
        assert call_id == CALL
        if self.failures:
            raise self.failures.pop()
        return await self.waiting.get()

    async def take_urgent(self, _call_id: uuid.UUID) -> Command | None:
        if self.urgent_fails:
            self.urgent_failed.set()
            raise StoreUnavailable("gone")
        return self.urgent.pop() if self.urgent else None

    async def finish(self, command: Command, result: CommandResult) -> None:
        async with self.answered:
            self.answers[command.command_id] = result
            self.answered.notify_all()

    async def answer_to(self, command: Command) -> CommandResult:
        async with asyncio.timeout(30), self.answered:
            await self.answered.wait_for(lambda: command.command_id in self.answers)
        return self.answers[command.command_id]


class Control:
    """A call that remembers what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.refusal: Exception | None = None
        self.outcome = TransferOutcome(TransferCode.BUSY, "sip:desk@192.0.2.1", 486)
        self.passing_on = asyncio.Event()
        self.passing_on.set()

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: Any, **kwargs: Any) -> None:
            if self.refusal is not None:
                raise self.refusal
            self.asked.append((name, (*args, *kwargs.values())))

        return ask

    async def transfer(self, *_args: Any, explain: bool) -> TransferOutcome:
        assert explain
        await self.passing_on.wait()
        return self.outcome


class Journal:
    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def event(self, event_type: EventType, **data: object) -> None:
        assert event_type is EventType.COMMAND
        self.events.append(data)


class Desk:
    def __init__(self) -> None:
        self.source, self.control, self.journal = Source(), Control(), Journal()
        self.runner = CommandRunner(
            self.source, cast("Any", self.control), cast("Any", self.journal), CALL
        )
        self.running = asyncio.ensure_future(self.runner.run())

    async def tell(self, one: Command) -> CommandResult:
        self.source.waiting.put_nowait(one)
        return await self.source.answer_to(one)


@pytest.fixture
async def desk() -> Any:
    desk = Desk()
    yield desk
    desk.running.cancel()
    await desk.runner.close()


async def test_each_command_is_carried_out_answered_and_put_on_record(desk: Desk) -> None:
    commands = [
        command(CommandName.HOLD),
        command(CommandName.RESUME),
        command(CommandName.SAY, text="Hello"),
        command(CommandName.WHISPER, text="Be kind"),
        command(CommandName.DTMF, keys="1w2", sensitive=True),
        command(CommandName.END, say="Bye"),
    ]
    answers = [await desk.tell(one) for one in commands]
    assert {answer.status for answer in answers} == {CommandStatus.DONE}
    assert desk.control.asked == [
        ("hold", ()),
        ("resume", ()),
        ("say", ("Hello",)),
        ("whisper", ("Be kind",)),
        ("press_keys", ("1w2", True)),
        ("end", ("Bye",)),
    ]
    assert [event["command"] for event in desk.journal.events] == [one.name for one in commands]
    assert not any(word in str(desk.journal.events) for word in ("Hello", "kind", "1w2", "Bye"))


async def test_a_command_that_redis_forgot_was_begun_is_answered_again_and_not_done_again(
    desk: Desk,
) -> None:
    hold = command(CommandName.HOLD)
    first = await desk.tell(hold)
    desk.source.answers.clear()
    assert await desk.tell(hold) == first
    assert desk.control.asked == [("hold", ())]
    assert len(desk.journal.events) == 1


async def test_a_transfer_is_answered_by_its_outcome(desk: Desk) -> None:
    answer = await desk.tell(command(CommandName.TRANSFER, **TRANSFER))
    assert (answer.status, answer.outcome) == (CommandStatus.DONE, "busy")
    assert answer.details == {"target": "sip:desk@192.0.2.1", "sip_code": 486}
    assert answer.sentence == "Nobody took the call. The caller is back with the agent."


async def test_a_transfer_that_could_not_be_dialled_is_answered_with_the_reason(desk: Desk) -> None:
    reason = "The carrier of the number to call from has no termination."
    desk.control.outcome = TransferOutcome(TransferCode.FAILED, "+12015550155", reason=reason)
    answer = await desk.tell(command(CommandName.TRANSFER, **TRANSFER))
    assert (answer.outcome, answer.sentence) == (
        "failed",
        f"{reason} The caller is back with the agent.",
    )


@pytest.mark.parametrize(
    ("refusal", "status", "wrong_field"),
    [
        (CallOver(), CommandStatus.OVER, ""),
        (NotNow("The caller is on hold."), CommandStatus.REFUSED, ""),
        (TargetRefused(RefusalCode.NOT_ALLOWED, "No."), CommandStatus.REFUSED, "to"),
        (VendorUnavailable("livekit", "x", "gone"), CommandStatus.FAILED, ""),
        (RuntimeError("the session is over"), CommandStatus.FAILED, ""),
        (TimeoutError(), CommandStatus.FAILED, ""),
        (Exception("of a library"), CommandStatus.FAILED, ""),
    ],
)
async def test_what_cannot_be_done_is_answered_and_the_next_command_is_carried_out(
    desk: Desk, refusal: Exception, status: CommandStatus, wrong_field: str
) -> None:
    desk.control.refusal = refusal
    answer = await desk.tell(command(CommandName.HOLD))
    assert (answer.status, answer.wrong_field) == (status, wrong_field)
    desk.control.refusal = None
    assert (await desk.tell(command(CommandName.RESUME))).status is CommandStatus.DONE


async def test_an_end_does_not_wait_for_what_is_at_work_and_other_commands_do(desk: Desk) -> None:
    desk.control.passing_on.clear()
    transfer, hold = command(CommandName.TRANSFER, **TRANSFER), command(CommandName.HOLD)
    end = command(CommandName.END, say="")
    desk.source.waiting.put_nowait(transfer)
    desk.source.waiting.put_nowait(hold)
    desk.source.urgent.append(end)
    assert (await desk.source.answer_to(end)).status is CommandStatus.DONE
    assert desk.control.asked == [("end", ("",))]
    desk.control.passing_on.set()
    await desk.source.answer_to(hold)
    assert list(desk.source.answers) == [end.command_id, transfer.command_id, hold.command_id]


async def test_a_command_is_not_overtaken_while_redis_is_away(desk: Desk) -> None:
    desk.control.passing_on.clear()
    transfer, hold = command(CommandName.TRANSFER, **TRANSFER), command(CommandName.HOLD)
    desk.source.urgent_fails = True
    desk.source.waiting.put_nowait(transfer)
    desk.source.waiting.put_nowait(hold)
    async with asyncio.timeout(30):
        await desk.source.urgent_failed.wait()
    assert desk.control.asked == []
    desk.control.passing_on.set()
    await desk.source.answer_to(hold)
    assert list(desk.source.answers) == [transfer.command_id, hold.command_id]


async def test_redis_may_be_away_for_a_while() -> None:
    desk = Desk()
    desk.source.failures = [StoreUnavailable("gone")]
    assert (await desk.tell(command(CommandName.HOLD))).status is CommandStatus.DONE
    desk.running.cancel()
