"""What can go wrong in the speech engines.

::

    SpeechError
    ├── UnknownVoiceError         a voice or variant that espeak-ng does not have
    ├── UnpronounceableError      a phrase for which no pronunciation can be found
    └── SpeechEngineError         the engine itself failed: a broken installation or a bug
"""


class SpeechError(Exception):
    """Base of every error of the speech engines."""


class UnknownVoiceError(SpeechError):
    """The voice asked for does not exist; the message names it and some that do."""


class UnpronounceableError(SpeechError):
    """A phrase holds nothing that can be pronounced, so it can never be recognised."""


class SpeechEngineError(SpeechError):
    """espeak-ng or PocketSphinx failed to start or to work."""
