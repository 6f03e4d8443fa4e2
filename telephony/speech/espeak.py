"""Speech by espeak-ng, through ctypes on the library and data of the wheel ``espeakng-loader``.

The library keeps one global voice and one global callback for the whole process, so every call
goes through one lock. It is quick (about a hundredth of the duration of what it says), but it
does block: inside an event loop run these functions in a thread.

Source: ``speak_lib.h`` of espeak-ng 1.52 (``espeak_Initialize``, ``espeak_Synth``,
``espeak_TextToPhonemes``).
"""

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from telephony.speech.errors import SpeechEngineError, UnknownVoiceError

SAMPLE_RATE_HZ = 22_050
"""What the library produces; it is checked against the library when that is loaded."""

DEFAULT_VOICE = "en-us+f1"
"""The agent's voice: the clearest of the plain ones to PocketSphinx, see ``docs/speech.md``."""

DEFAULT_WORDS_PER_MINUTE = 160

CALLER_VOICE = "en-us+klatt4"
"""The voice in which a softphone speaks: PocketSphinx understood every phrase of it."""

CALLER_WORDS_PER_MINUTE = 150
MIN_WORDS_PER_MINUTE = 80
MAX_WORDS_PER_MINUTE = 450

_CHUNK_MS = 60
_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_PHONEMES_IPA = 0x02
_POS_CHARACTER = 1
_RATE = 1
_EE_OK = 0
_CONTINUE, _ABORT = 0, 1

_SynthCallback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _Voice(ctypes.Structure):
    """The head of ``espeak_VOICE``; the fields after these are not read."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
    )


@dataclass(frozen=True, slots=True)
class Speech:
    """Spoken audio: 16-bit mono samples and their rate."""

    pcm: NDArray[np.int16]
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """How long it takes to play."""
        return len(self.pcm) / self.sample_rate_hz


class _Espeak:
    """The library, initialised; one for each process, used by one thread at a time."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as exc:
            raise SpeechEngineError(f"espeak-ng cannot be loaded: {exc}") from exc
        self._lock = threading.Lock()
        self._declare()
        data = str(espeakng_loader.get_data_path()).encode()
        rate = self._library.espeak_Initialize(
            _OUTPUT_SYNCHRONOUS, _CHUNK_MS, data, _INITIALIZE_DONT_EXIT
        )
        if rate != SAMPLE_RATE_HZ:
            raise SpeechEngineError(f"espeak-ng started with sample rate {rate} instead of 22050")
        self.languages = self._list_languages()
        # A ctypes callback must outlive every call of the library, so there is one for good and
        # it hands over to whoever is speaking now.
        self._listener: Callable[[bytes], bool] | None = None
        self._failure: BaseException | None = None
        self._callback = _SynthCallback(self._on_samples)
        self._library.espeak_SetSynthCallback(self._callback)

    def _declare(self) -> None:
        library = self._library
        library.espeak_Initialize.argtypes = (
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
        )
        library.espeak_SetVoiceByName.argtypes = (ctypes.c_char_p,)
        library.espeak_SetParameter.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int)
        library.espeak_Synth.argtypes = (
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        )
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        library.espeak_ListVoices.argtypes = (ctypes.c_void_p,)
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        library.espeak_TextToPhonemes.argtypes = (
            ctypes.POINTER(ctypes.c_char_p),
            ctypes.c_int,
            ctypes.c_int,
        )

    def _list_languages(self) -> dict[str, str]:
        voices = self._library.espeak_ListVoices(None)
        found: dict[str, str] = {}
        index = 0
        while voices[index]:
            # ``languages`` is a list of one priority byte and one zero-terminated name each; the
            # first name is the one the voice is known by. The library finds a voice surely only
            # by its identifier, a file name: it refuses "en-gb", whose file is "gmw/en".
            voice = voices[index].contents
            found[voice.languages[1:].decode()] = voice.identifier.decode()
            index += 1
        return found

    def _on_samples(self, samples: object, count: int, _events: object) -> int:
        if not count or not samples or self._listener is None:
            return _CONTINUE
        try:
            wanted = self._listener(ctypes.string_at(samples, count * 2))  # type: ignore[arg-type]
        except BaseException as exc:  # noqa: BLE001  # C cannot carry it; speak() raises it again
            self._failure = exc
            return _ABORT
        return _CONTINUE if wanted else _ABORT

    def _set_voice(self, voice: str) -> None:
        language, plus, variant = voice.partition("+")
        name = self.languages[language] + plus + variant
        if self._library.espeak_SetVoiceByName(name.encode()) != _EE_OK:
            raise SpeechEngineError(f"espeak-ng does not accept its own voice {voice!r}")

    def speak(
        self, text: str, voice: str, words_per_minute: int, listener: Callable[[bytes], bool]
    ) -> None:
        encoded = text.encode()
        with self._lock:
            self._set_voice(voice)
            self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
            self._listener, self._failure = listener, None
            status = self._synthesize(encoded)
            failure, self._listener, self._failure = self._failure, None, None
        if failure is not None:
            raise failure
        if status != _EE_OK:
            raise SpeechEngineError(f"espeak-ng failed to speak, status {status}")

    def _synthesize(self, encoded: bytes) -> int:
        status: int = self._library.espeak_Synth(
            encoded, len(encoded) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        return status

    def phonemes(self, text: str, voice: str) -> str:
        with self._lock:
            self._set_voice(voice)
            # A sentence that was broken off has left the first letter of the next clause behind,
            # which only the beginning of speech takes away: it would be the first sound here.
            self._synthesize(b"")
            rest = ctypes.c_char_p(text.encode())
            clauses: list[str] = []
            # Each call reads one clause and moves the pointer behind it, to NULL at the end.
            while rest.value:
                found = self._library.espeak_TextToPhonemes(
                    ctypes.byref(rest), _CHARS_UTF8, _PHONEMES_IPA
                )
                clauses.append(found.decode() if found else "")
        return " ".join(clause for clause in clauses if clause)


_loading = threading.Lock()


@cache
def _load() -> _Espeak:
    return _Espeak()


def _espeak() -> _Espeak:
    # ``cache`` alone would let two threads initialise the library at the same time.
    with _loading:
        return _load()


def prewarm() -> None:
    """Load the library and its data, so that the first sentence does not wait for it."""
    _espeak()


@cache
def languages() -> frozenset[str]:
    """Every language code that can be spoken, such as ``en-us`` or ``de``."""
    return frozenset(_espeak().languages)


@cache
def variants() -> frozenset[str]:
    """Every voice variant, such as ``f3`` (a woman) or ``m1`` (a man)."""
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    return frozenset(path.name for path in folder.iterdir() if " " not in path.name)


def check_voice(voice: str) -> None:
    """Accept a voice: a language code, alone or with a variant, such as ``en-us+f3``.

    Raises:
        UnknownVoiceError: The language or the variant does not exist. The library itself
            would silently fall back to another voice.
    """
    language, plus, variant = voice.partition("+")
    if language not in languages():
        raise UnknownVoiceError(
            f"unknown voice {voice!r}: there is no language {language!r} "
            "(some that exist: en-us, en-gb, de, es, fr-fr)"
        )
    if plus and variant not in variants():
        raise UnknownVoiceError(
            f"unknown voice {voice!r}: there is no variant {variant!r} "
            "(some that exist: f1 to f5, m1 to m8)"
        )


def check_speed(words_per_minute: int) -> None:
    """Accept a speed that espeak-ng can speak at.

    Raises:
        ValueError: It is out of range; the message says which range.
    """
    if not MIN_WORDS_PER_MINUTE <= words_per_minute <= MAX_WORDS_PER_MINUTE:
        raise ValueError(
            f"words_per_minute must be {MIN_WORDS_PER_MINUTE} to {MAX_WORDS_PER_MINUTE}, "
            f"not {words_per_minute}"
        )


def speak(
    text: str,
    on_chunk: Callable[[bytes], bool],
    *,
    voice: str = DEFAULT_VOICE,
    words_per_minute: int = DEFAULT_WORDS_PER_MINUTE,
) -> None:
    """Speak a text, handing over the audio while it is made; blocks until it is finished.

    Args:
        text: What to say. Blank text makes no audio.
        on_chunk: Gets pieces of about 60 ms of 16-bit little-endian mono PCM at
            ``SAMPLE_RATE_HZ``; returns False to stop speaking. What it raises stops the speech
            and is raised here. Pieces come while the engine is held: it must not block.
        voice: See ``check_voice``.
        words_per_minute: Speed, 80 to 450.

    Raises:
        UnknownVoiceError: The voice does not exist.
        ValueError: The speed is out of range.
        SpeechEngineError: espeak-ng failed.
    """
    check_voice(voice)
    check_speed(words_per_minute)
    if text.strip():
        _espeak().speak(text.replace("\0", " "), voice, words_per_minute, on_chunk)


def synthesize(
    text: str,
    *,
    voice: str = DEFAULT_VOICE,
    words_per_minute: int = DEFAULT_WORDS_PER_MINUTE,
) -> Speech:
    """Speak a text in one piece; the errors are those of ``speak``."""
    chunks: list[bytes] = []

    def collect(chunk: bytes) -> bool:
        chunks.append(chunk)
        return True

    speak(text, collect, voice=voice, words_per_minute=words_per_minute)
    return Speech(np.frombuffer(b"".join(chunks), dtype=np.int16), SAMPLE_RATE_HZ)


def phonemes(text: str, *, voice: str = DEFAULT_VOICE) -> str:
    """How espeak-ng would pronounce a text, in the International Phonetic Alphabet."""
    check_voice(voice)
    return _espeak().phonemes(text.replace("\0", " "), voice)
