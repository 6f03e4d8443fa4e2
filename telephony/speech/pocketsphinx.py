"""Recognition of known phrases by PocketSphinx and the English model of its wheel.

The phrases are the whole grammar: an utterance is one of them or it is rejected. That makes it
useful on a telephone line, where free dictation by this model is not: see ``docs/speech.md`` for
the measurements. A decoder is shared by everybody in the process and works for one at a time;
decoding takes about 25 ms for a phrase and blocks, so inside an event loop use a thread.

Source: ``pocketsphinx.h`` of pocketsphinx 5.1; the JSpeech Grammar Format (W3C note, 2000).
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder, Hypothesis, Segment, get_model_path

from telephony.speech.errors import SpeechEngineError, UnpronounceableError
from telephony.speech.pronunciation import pronunciations
from telephony.speech.resampling import resample
from telephony.speech.words import words_of

MODEL_RATE_HZ = 16_000
"""What the acoustic model was trained on; telephone audio is brought up to it."""

_FRAME_MS = 10
_MAX_GRAMMARS = 64
_MIN_SPEECH_MS = 200
_QUIET_LEVEL = 100.0
_SILENCES = frozenset({"<sil>", "<s>", "</s>"})
_NULL = "(NULL)"

# Confidence is a logistic function of three measures of one decoding. The weights were fitted on
# 160 phrases of a telephone menu and 120 sentences outside of it, spoken by ten synthetic voices
# through G.711. With each voice judged by weights fitted without it, 98 % of the right phrases
# were kept and 7 of the 120 sentences were taken for a phrase.
_WEIGHT_SCORE = 0.161
_WEIGHT_WORST = 0.0675
_WEIGHT_SWALLOWED = -16.9
_BIAS = 10.4
_MIN_CONFIDENCE = 0.5


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was understood.

    Attributes:
        text: The phrase, exactly as it was given in ``phrases``; empty without a match.
        confidence: 0 to 1: how well the sound fits the phrase. Below 0.5 it is no match.
        is_match: Whether one of the phrases was said.
        is_speech: Whether there was enough sound to be speech at all, matched or not.
    """

    text: str
    confidence: float
    is_match: bool
    is_speech: bool


_SILENCE = Recognition("", 0.0, is_match=False, is_speech=False)
_NO_MATCH = Recognition("", 0.0, is_match=False, is_speech=True)


class _Recogniser:
    """One decoder with as many grammars as there are sets of phrases in use."""

    def __init__(self) -> None:
        try:
            self._decoder = Decoder(
                hmm=get_model_path("en-us/en-us"),
                dict=None,
                lm=None,
                samprate=float(MODEL_RATE_HZ),
                # The lattice search after the decoding made nothing better and costs time.
                bestpath=False,
                loglevel="FATAL",
            )
        except (RuntimeError, ValueError) as exc:
            raise SpeechEngineError(f"PocketSphinx failed to start: {exc}") from exc
        self._lock = threading.Lock()
        self._log_base = math.log(self._decoder.get_logmath().exp(1))
        self._tokens: dict[str, str] = {}
        self._grammars: OrderedDict[tuple[str, ...], dict[tuple[str, ...], str]] = OrderedDict()

    def prepare(self, phrases: tuple[str, ...]) -> None:
        with self._lock:
            self._activate(phrases)

    def decode(self, pcm: NDArray[np.int16], phrases: tuple[str, ...]) -> tuple[str, float] | None:
        """The best phrase and its confidence, or None when no phrase fits at all."""
        with self._lock:
            by_tokens = self._activate(phrases)
            self._decoder.start_utt()
            self._decoder.process_raw(pcm.tobytes(), full_utt=True)
            self._decoder.end_utt()
            hypothesis: Hypothesis | None = self._decoder.hyp()
            if hypothesis is None:
                return None
            segments = [segment for segment in self._decoder.seg() if segment.word != _NULL]
            phrase = by_tokens.get(tuple(hypothesis.hypstr.split()))
        if phrase is None:
            return None
        return phrase, _confidence(pcm, segments, self._log_base)

    def _activate(self, phrases: tuple[str, ...]) -> dict[tuple[str, ...], str]:
        if phrases not in self._grammars:
            self._add_grammar(phrases)
        self._grammars.move_to_end(phrases)
        self._decoder.activate_search(_search_name(phrases))
        return self._grammars[phrases]

    def _add_grammar(self, phrases: tuple[str, ...]) -> None:
        by_tokens: dict[tuple[str, ...], str] = {}
        for phrase in phrases:
            by_tokens.setdefault(self._tokens_of(phrase), phrase)
        choices = " | ".join(" ".join(tokens) for tokens in by_tokens)
        grammar = f"#JSGF V1.0;\ngrammar phrases;\npublic <phrase> = {choices} ;\n"
        try:
            self._decoder.add_jsgf_string(_search_name(phrases), grammar)
        except RuntimeError as exc:
            raise SpeechEngineError(f"PocketSphinx refused a grammar: {exc}") from exc
        self._grammars[phrases] = by_tokens
        if len(self._grammars) > _MAX_GRAMMARS:
            oldest, _ = self._grammars.popitem(last=False)
            self._decoder.remove_search(_search_name(oldest))

    def _tokens_of(self, phrase: str) -> tuple[str, ...]:
        tokens = tuple(
            token for word in words_of(phrase) if (token := self._token_of(word)) is not None
        )
        if not tokens:
            raise UnpronounceableError(f"the phrase {phrase!r} has no word that can be spoken")
        return tokens

    def _token_of(self, word: str) -> str | None:
        """The decoder's name for a word: plain, so that no word can break the grammar's syntax."""
        if word not in self._tokens:
            found = pronunciations(word)
            if not found:
                return None
            token = f"w{len(self._tokens)}"
            for number, phones in enumerate(found, start=1):
                name = token if number == 1 else f"{token}({number})"
                self._decoder.add_word(name, phones, update=False)
            self._tokens[word] = token
        return self._tokens[word]


def _search_name(phrases: tuple[str, ...]) -> str:
    return f"phrases-{hash(phrases)}"


def _confidence(pcm: NDArray[np.int16], segments: Sequence[Segment], log_base: float) -> float:
    """How well a decoding explains the sound, 0 to 1.

    A sentence outside the grammar betrays itself in three ways: its frames score badly on
    average, one of its words scores very badly, and loud sound has to pass as silence.
    """
    frames = np.array([segment.end_frame - segment.start_frame + 1 for segment in segments])
    # The engine gives scores as probabilities; their logarithm is what adds up over time.
    scores = np.array([math.log(segment.ascore) / log_base for segment in segments])
    spoken = np.array([segment.word not in _SILENCES for segment in segments])
    if not spoken.any():
        return 0.0
    loud = _loud_frames(pcm)
    silent = np.repeat(~spoken, frames)[: len(loud)]
    swallowed = float(loud[: len(silent)][silent].sum()) / max(1, int(loud.sum()))
    logit = (
        _WEIGHT_SCORE * float(scores.sum() / frames.sum())
        + _WEIGHT_WORST * float((scores / frames)[spoken].min())
        + _WEIGHT_SWALLOWED * swallowed
        + _BIAS
    )
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


def _loud_frames(pcm: NDArray[np.int16]) -> NDArray[np.bool_]:
    """For every 10 ms whether it is within 25 dB of the loud parts."""
    level = _levels(pcm)
    # Sorted in Python: the percentile of numpy costs a process 17 MB of its own.
    loud = sorted(level.tolist())[len(level) * 95 // 100]
    return np.asarray(level > loud * 10 ** (-25 / 20))


def _is_speech(pcm: NDArray[np.int16]) -> bool:
    """Whether there is enough sound above the quiet of a line: a click or a cough is too short."""
    level = _levels(pcm)
    if not len(level):
        return False
    loud = level > max(_QUIET_LEVEL, float(level.max()) / 20)
    return int(loud.sum()) * _FRAME_MS >= _MIN_SPEECH_MS


def _levels(pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """The root mean square of every 10 ms."""
    size = MODEL_RATE_HZ * _FRAME_MS // 1000
    frames = pcm[: len(pcm) // size * size].reshape(-1, size).astype(np.float64)
    return np.asarray(np.sqrt((frames**2).mean(axis=1)))


_loading = threading.Lock()


@cache
def _load() -> _Recogniser:
    return _Recogniser()


def _recogniser() -> _Recogniser:
    with _loading:
        return _load()


def prewarm(phrases: Iterable[str] = ()) -> None:
    """Load the acoustic model, and the grammar of these phrases where they are known already.

    Raises:
        UnpronounceableError: A phrase has no word that can be spoken.
    """
    recogniser = _recogniser()
    if known := tuple(phrases):
        recogniser.prepare(known)


def recognise(pcm: NDArray[np.int16], sample_rate_hz: int, phrases: Iterable[str]) -> Recognition:
    """Which of the phrases was said, if any; blocks for about 1 % of the sound's length.

    Args:
        pcm: 16-bit mono samples of one utterance.
        sample_rate_hz: Their rate; 8000 and more.
        phrases: All that can be understood. With none, speech is heard but never matched.

    Raises:
        UnpronounceableError: A phrase has no word that can be spoken.
        SpeechEngineError: PocketSphinx failed.
    """
    expected = tuple(phrases)
    sound = resample(pcm, sample_rate_hz, MODEL_RATE_HZ)
    if not _is_speech(sound):
        return _SILENCE
    best = _recogniser().decode(sound, expected) if expected else None
    if best is None:
        return _NO_MATCH
    phrase, confidence = best
    if confidence < _MIN_CONFIDENCE:
        return Recognition("", confidence, is_match=False, is_speech=True)
    return Recognition(phrase, confidence, is_match=True, is_speech=True)
