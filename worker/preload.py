"""Imported once by the process that job processes are forked from: what it has, they all have.

A dozen callers at once use up the warm processes, whose replacements are made while those callers
still wait for an answer. Forked with everything in place, a replacement costs little.
"""

import logging

import livekit.agents.llm.async_toolset  # noqa: F401  (as the vendors below)

import dispatch.knowledge.brief_search  # noqa: F401
import worker.job
import worker.vendors.vendors  # noqa: F401  (imported here, it is there in every job process)
from worker.warm import warm_up

logger = logging.getLogger(__name__)

try:
    warm_up()
except Exception:
    # It must not take the process down that all others come from: each of them tries again
    # before its call, and what it meets then is reported as its own failure.
    logger.debug("job processes are not warm by birth", exc_info=True)
