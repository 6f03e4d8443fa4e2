"""What a number's owner is told about it."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dispatch.number_status import FAILING, NOT_RUNNING, WAITING, judge
from dispatch.numbers import PhoneNumber, SyncState
from dispatch.store.loop_signals import LoopBeat
from telephony.e164 import E164

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 2, tzinfo=UTC)
WELL = LoopBeat("convergence", NOW, ok=True, detail="1 trunk.")
UNREACHABLE = LoopBeat("convergence", NOW, ok=False, detail="LiveKit is unreachable.")


def number(status: SyncState, reason: str | None = None) -> PhoneNumber:
    some_id = uuid.UUID(int=1)
    return PhoneNumber(
        id=some_id,
        organization_id=some_id,
        project_id=some_id,
        number=E164("+12015550100"),
        provider="custom",
        connection_id=some_id,
        inbound_agent_id=None,
        outbound_agent_id=None,
        status=status,
        status_reason=reason,
        created_at=NOW,
    )


@pytest.mark.parametrize(
    ("status", "beat", "expected", "reason"),
    [
        (SyncState.ACTIVE, WELL, SyncState.ACTIVE, None),
        (SyncState.ACTIVE, None, SyncState.ACTIVE, None),
        (
            SyncState.ACTIVE,
            UNREACHABLE,
            SyncState.PENDING,
            FAILING.format(detail=UNREACHABLE.detail),
        ),
        (SyncState.PENDING, WELL, SyncState.PENDING, WAITING),
        (SyncState.PENDING, None, SyncState.PENDING, NOT_RUNNING),
        (
            SyncState.PENDING,
            UNREACHABLE,
            SyncState.PENDING,
            FAILING.format(detail=UNREACHABLE.detail),
        ),
    ],
)
def test_a_number_is_active_only_while_calls_reach_it(status, beat, expected, reason) -> None:
    judged = judge(number(status), beat)
    assert (judged.status, judged.status_reason) == (expected, reason)


@pytest.mark.parametrize("beat", [WELL, UNREACHABLE, None])
def test_a_conflict_stays_a_conflict(beat) -> None:
    conflicting = number(SyncState.CONFLICT, "Trunk ST_1 claims the number.")
    assert judge(conflicting, beat) == conflicting


def test_nothing_but_the_status_is_touched() -> None:
    pending = number(SyncState.PENDING)
    judged = judge(pending, WELL)
    assert replace(judged, status_reason=None) == pending
