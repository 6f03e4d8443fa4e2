"""The end of a job's process, which comes whatever holds it up."""

import faulthandler
import multiprocessing
from typing import Final

LONGEST_END_S: Final = 120.0
"""More than all that has a limit takes together: the bill, an agent that does not stop (60 s), the
room that is left."""


def end_process_within(limit_s: float = LONGEST_END_S) -> None:
    """Let the process of this job end within so many seconds; asked again, count from now.

    Once a call is over, livekit-agents closes its session, leaves its room and waits for every task
    and thread there is, mostly without a limit; and the SDK never answers some requests to a room
    that was left. The call is settled by then, but its process would stay for good. One that does
    is ended here, and where its threads stood is in the worker's log. The worker reports the exit.

    Where jobs are threads nothing happens: the process is all calls'.

    Args:
        limit_s: How long it may take.

    Source: livekit-agents 1.8.9 ipc/job_proc_lazy_main.py, `_shutdown_job`, and ipc/proc_client.py,
    `run`; the name of the process as ipc/job_proc_executor.py gives it.
    """
    if multiprocessing.current_process().name == "job_proc":
        faulthandler.dump_traceback_later(limit_s, exit=True)
