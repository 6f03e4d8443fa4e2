"""What a job process loads before its first call."""

from telephony.speech import espeak, pocketsphinx


def prewarm() -> None:
    """Load espeak-ng and PocketSphinx, so that no caller waits for it; blocks for about 30 ms."""
    espeak.prewarm()
    pocketsphinx.prewarm()
