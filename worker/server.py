"""The worker towards LiveKit: its name, its capacity and how it runs its jobs."""

import asyncio
import importlib
import logging
import math

from livekit.agents import AgentServer, JobExecutorType, JobProcess, JobRequest

from telephony.settings import LiveKitSettings
from worker.job import answer_call
from worker.lost_jobs import RunningJob
from worker.settings import WorkerSettings
from worker.warm import WARM, warm_up

logger = logging.getLogger(__name__)

_EXECUTORS = {"process": JobExecutorType.PROCESS, "thread": JobExecutorType.THREAD}

_CUT_OFF_TIMEOUT_S = 30.0
"""Calls that are still on when draining is over: livekit-agents lets them talk on for 15 s, then
cancels them, and they settle their bills."""

_WARM_UP_TIMEOUT_S = 120.0
"""How long the first job process may take, on a machine that has other work. After that LiveKit is
told of the worker all the same, whose first callers would ring until there is one.
Source: livekit-agents 1.8.9 ipc/proc_pool.py, `start`."""


class CallServer:
    """An `AgentServer` that takes so many calls and not one more.

    The framework's own load threshold counts a job that is being started as a whole idle slot,
    so that an idle worker refuses the second of two callers who ring together. Here the threshold
    is off, the load only tells LiveKit whom to ask first, and each request is answered by count.

    Args:
        settings: How many calls, and how they are run.
        livekit: The server to register with.
        worker_name: The agent name under which calls are dispatched.
    """

    def __init__(
        self, settings: WorkerSettings, livekit: LiveKitSettings, worker_name: str
    ) -> None:
        if settings.worker_executor == "thread":
            # Plugins register themselves on the main thread or not at all; processes are forked
            # from one that has read them.
            importlib.import_module("worker.vendors.vendors")
        self._max_calls = settings.worker_max_calls
        self._starting: set[str] = set()
        self.registered = asyncio.Event()
        """Set once LiveKit has us on its list: from then on calls can come."""
        self.server = AgentServer(
            job_executor_type=_EXECUTORS[settings.worker_executor],
            load_threshold=math.inf,
            load_fnc=self.load,
            num_idle_processes=settings.worker_idle_jobs,
            setup_fnc=prewarm_job,
            preload_modules=["worker.preload"],
            drain_timeout=int(settings.worker_drain_timeout.total_seconds()),
            shutdown_process_timeout=_CUT_OFF_TIMEOUT_S,
            initialize_process_timeout=_WARM_UP_TIMEOUT_S,
            ws_url=livekit.livekit_url,
            api_key=livekit.livekit_api_key,
            api_secret=livekit.livekit_api_secret.get_secret_value(),
            host=settings.worker_health_host,
            port=settings.worker_health_port,
        )
        self.server.rtc_session(answer_call, agent_name=worker_name, on_request=self.on_request)
        self.server.on("worker_registered", self._on_registered)

    def count_calls(self) -> int:
        """Return the calls that are on or being started."""
        if not self.registered.is_set():
            # The framework has no pool of jobs to count before it runs.
            return 0
        active = {info.job.id for info in self.server.active_jobs}
        return len(active | self._starting)

    @property
    def is_connected(self) -> bool:
        """Whether LiveKit can give us calls now; it cannot while its connection is made again.

        Source: livekit-agents worker.py, `_connection_task`. It tells of a registration, but of a
        lost connection only here.
        """
        return self.registered.is_set() and not self.server._connecting  # noqa: SLF001

    def _on_registered(self, *_: object) -> None:
        logger.info("worker registered")
        self.registered.set()

    def running_jobs(self) -> list[RunningJob]:
        """Return the jobs whose processes live; one that exits or is killed is gone at once.

        Source: livekit-agents ipc/proc_pool.py, `_monitor_process_task`.
        """
        if not self.registered.is_set():
            return []
        jobs = [info.job for info in self.server.active_jobs]
        return [RunningJob(job.id, job.room.name, job.metadata) for job in jobs]

    def load(self) -> float:
        """Return the share of slots that are taken, 0 to 1."""
        return self.count_calls() / self._max_calls

    async def on_request(self, request: JobRequest) -> None:
        """Take a call if a slot is free, or let LiveKit ask another worker."""
        if self.count_calls() >= self._max_calls:
            await request.reject(terminate=False)
            return
        self._starting.add(request.id)
        try:
            await request.accept()
        finally:
            self._starting.discard(request.id)


def prewarm_job(process: JobProcess) -> None:
    """Make a job process ready before it is given a call; free where it was forked ready."""
    process.userdata[WARM] = warm_up()
