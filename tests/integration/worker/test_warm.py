"""Job processes are born warm: forked from one that has done the work."""

import base64
import multiprocessing
from multiprocessing.connection import Connection

import pytest

from telephony.speech import espeak, pocketsphinx

pytestmark = pytest.mark.integration

UNUSED_SETTINGS = (
    *("DATABASE_URL", "REDIS_URL", "DIALPLANE_KEY_PEPPER"),
    *("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"),
)
SECRETS_KEYS = f"k1:{base64.b64encode(bytes(32)).decode()}"
PHRASE = "what are your opening hours"


def speak_and_listen(answer: Connection) -> None:
    """Run in a job process: say whether it was born warm, and what it hears of itself."""
    from worker.warm import load_once  # noqa: PLC0415  (to find it inherited, not to load it)

    was_warm = load_once.cache_info().currsize == 1
    speech = espeak.synthesize(PHRASE)
    heard = pocketsphinx.recognise(speech.pcm, speech.sample_rate_hz, [PHRASE, "good bye"])
    answer.send((was_warm, heard.text))


def test_every_process_inherits_engines_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in UNUSED_SETTINGS:
        monkeypatch.setenv(name, "unused")
    monkeypatch.setenv("DIALPLANE_SECRETS_KEYS", SECRETS_KEYS)
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["worker.preload"])
    ours, theirs = context.Pipe()

    processes = [context.Process(target=speak_and_listen, args=(theirs,)) for _ in range(2)]
    for process in processes:
        process.start()
    answers = []
    for _ in processes:
        assert ours.poll(120), "a process did not answer"
        answers.append(ours.recv())
    for process in processes:
        process.join()

    assert answers == [(True, PHRASE), (True, PHRASE)]
