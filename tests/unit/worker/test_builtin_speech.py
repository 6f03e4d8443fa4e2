"""espeak-ng and PocketSphinx as plugins of livekit-agents."""

import pytest
from livekit import rtc
from livekit.agents import APIError
from livekit.agents.metrics import STTMetrics, TTSMetrics

from dispatch.models.catalogue import catalogue
from dispatch.script import NOT_UNDERSTOOD
from telephony.speech.errors import UnknownVoiceError
from worker.builtin import EspeakTTS, PhraseSTT, prewarm

pytestmark = pytest.mark.unit


async def spoken(text: str) -> rtc.AudioFrame:
    async with EspeakTTS(voice="en-us+f3", words_per_minute=150) as tts:
        return await tts.synthesize(text).collect()


async def test_speaks_and_reports_characters_and_seconds() -> None:
    prewarm()
    metrics: list[TTSMetrics] = []
    async with EspeakTTS(voice="en-us+f3", words_per_minute=150) as tts:
        tts.on("metrics_collected", metrics.append)
        stream = tts.synthesize("Book an appointment.")
        frames = [event.frame async for event in stream]
        await stream.aclose()
    seconds = sum(frame.duration for frame in frames)
    assert 0.8 < seconds < 2
    assert metrics[0].characters_count == len("Book an appointment.")
    assert metrics[0].audio_duration == pytest.approx(seconds)
    assert (tts.provider, tts.model) == ("builtin", "espeak-ng")


async def test_the_first_sound_is_there_long_before_a_long_text_is_spoken() -> None:
    async with EspeakTTS() as tts:
        stream = tts.synthesize("This sentence goes on. " * 200)
        first = await anext(stream)
        assert first.frame.duration <= 0.2
        assert not stream.done
        await stream.aclose()
        # A speaker that was cut off must not keep the engine: the next one gets it at once.
        assert (await tts.synthesize("Hello.").collect()).duration > 0.2


async def test_a_text_without_anything_to_say_is_a_moment_of_silence() -> None:
    assert (await spoken("…")).duration < 0.5


@pytest.mark.parametrize("voice", [row.id for row in catalogue().list_voices(provider="builtin")])
def test_every_voice_on_offer_exists(voice: str) -> None:
    EspeakTTS(voice=voice)


def test_refuses_a_wrong_voice_or_speed_before_the_call() -> None:
    with pytest.raises(UnknownVoiceError):
        EspeakTTS(voice="alloy")
    with pytest.raises(ValueError, match="words_per_minute"):
        EspeakTTS(words_per_minute=5)


async def test_hears_a_phrase_and_reports_its_length() -> None:
    metrics: list[STTMetrics] = []
    stt = PhraseSTT(phrases=["Book an appointment", "Goodbye"])
    stt.on("metrics_collected", metrics.append)
    sound = await spoken("Book an appointment.")
    event = await stt.recognize(sound)
    assert event.alternatives[0].text == "Book an appointment"
    assert event.alternatives[0].confidence > 0.5
    assert metrics[0].audio_duration == pytest.approx(sound.duration)


async def test_speech_that_is_no_phrase_is_a_turn_that_was_not_understood() -> None:
    stt = PhraseSTT(phrases=["Book an appointment", "Goodbye"])
    event = await stt.recognize(await spoken("My dog ate seven sandwiches."))
    assert event.alternatives[0].text == NOT_UNDERSTOOD


async def test_a_click_is_no_turn() -> None:
    silence = rtc.AudioFrame.create(sample_rate=24_000, num_channels=1, samples_per_channel=24_000)
    event = await PhraseSTT(phrases=["Goodbye"]).recognize(silence)
    assert event.alternatives[0].text == ""


async def test_stereo_is_heard_like_mono() -> None:
    mono = await spoken("Book an appointment.")
    stereo = rtc.AudioFrame.create(mono.sample_rate, 2, mono.samples_per_channel)
    stereo.data[0::2] = mono.data
    stereo.data[1::2] = mono.data
    stt = PhraseSTT(phrases=["Book an appointment", "Goodbye"])
    assert (await stt.recognize(stereo)).alternatives[0].text == "Book an appointment"


async def test_a_phrase_that_cannot_be_spoken_is_an_error_that_is_not_retried() -> None:
    stt = PhraseSTT(phrases=["..."])
    with pytest.raises(APIError, match="no word") as failure:
        await stt.recognize(await spoken("Hello there."))
    assert not failure.value.retryable
