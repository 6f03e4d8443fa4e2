"""One-time work of a process, done before it has a call.

Nothing here is a different answer for a different call. Done on first use it would cost each call
about 50 ms of processor time before the caller is answered, and with a dozen callers at once on
two cores every one of them waits for all of it.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from livekit.agents import llm
from livekit.agents.tokenize.basic import hyphenate_word

from dispatch.billing.prices import PriceBook
from dispatch.live_calls import load_live_call_scripts
from dispatch.secrets.envelope import KeyRing
from dispatch.tools.runner import default_tls
from telephony.speech import espeak
from worker.bootstrap import JobSettings
from worker.pipelines import WarmModels, warm_models

WARM: Final = "dialplane.warm"
"""Where a job process keeps its `WarmProcess` between its start and its call."""


@dataclass(frozen=True, slots=True)
class WarmProcess:
    """What a job process has ready: it serves its calls, one after another.

    Where jobs are threads, each has its own, for the events of a model would reach all its users.
    """

    models: WarmModels
    settings: JobSettings


def warm_up() -> WarmProcess:
    """Make ready for a call; blocks for about 100 ms the first time, and is nearly free afterwards.

    No thread is started and no connection opened, so a process forked afterwards inherits the
    result and shares its memory.

    Raises:
        ValidationError: The environment lacks a setting or holds a wrong one.
        PriceTableInvalid: The installation's price table cannot be read.
        ValueError: The keys of secrets cannot be read.
        SpeechError: A speech engine failed to start.
    """
    return WarmProcess(warm_models(), load_once())


@cache
def load_once() -> JobSettings:
    """Do what is the same for every call, and return the settings among it."""
    settings = JobSettings.read()
    load_live_call_scripts()
    # Reading the prices takes 6 ms, and the first cipher 2 ms to set its library up.
    PriceBook.load(settings.dispatch.dialplane_price_table)
    KeyRing.parse(settings.dispatch.dialplane_secrets_keys.get_secret_value())
    # The certificates of the usual authorities (measured: 20 ms).
    default_tls()
    # The first look at an agent's voice lists the folder of them all.
    espeak.variants()
    # The first message makes its class's validators (measured: 8 ms).
    llm.ChatMessage(role="system", content=[""])
    # What was heard of an interrupted turn is told by its syllables and their pace. Loaded on first
    # use, in the middle of a greeting, both would hold the audio up (measured: 50 and 100 ms).
    hyphenate_word("syllables")
    np.fft.rfft(np.zeros(2))
    return settings
