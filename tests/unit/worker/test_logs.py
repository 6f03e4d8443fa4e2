"""What the framework adds to a job's log entries, on its way through the worker's handler."""

import logging
import socket
from collections.abc import Iterator

import pytest
from livekit.agents.ipc.log_queue import LogQueueListener
from livekit.agents.utils.aio.duplex_unix import _Duplex

from worker.__main__ import WithoutPersonalData

pytestmark = pytest.mark.unit

ROOM = "call_+12015550100_x1"


class Kept(logging.Handler):
    """Keeps what passes its filters."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.addFilter(WithoutPersonalData())

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept = Kept()
    logging.getLogger().addHandler(kept)
    yield kept
    logging.getLogger().removeHandler(kept)


def fields_of(kept: Kept) -> dict[str, object]:
    [record] = kept.records
    return vars(record)


def test_drops_the_room_of_an_entry_from_a_job_process(kept: Kept) -> None:
    def as_the_framework_does(record: logging.LogRecord) -> None:
        vars(record).update({"room": ROOM, "room_id": "RM_1"})

    near, far = socket.socketpair()
    with far:
        duplex = _Duplex.open(near)
        entry = logging.makeLogRecord({"name": "worker.job", "levelno": logging.WARNING})
        LogQueueListener(duplex, as_the_framework_does).handle(entry)
        duplex.close()

    assert "room" not in fields_of(kept)
    assert fields_of(kept)["room_id"] == "RM_1"


def test_drops_room_and_words_of_an_entry_from_a_job_thread(kept: Kept) -> None:
    extra = {"room": ROOM, "lk.pii.user_input": "my words", "job_id": "AJ_1"}
    logging.getLogger("livekit.agents").warning("job is slow", extra=extra)

    assert not {"room", "lk.pii.user_input"} & fields_of(kept).keys()
    assert fields_of(kept)["job_id"] == "AJ_1"
