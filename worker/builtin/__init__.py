"""Provider ``builtin``: speech and a script, offline and without keys, in the usual pipeline.

espeak-ng speaks, PocketSphinx listens for the script's own phrases, and the script is the
language model. All three are ordinary plugins of livekit-agents, so an agent of this provider has
turn taking, barge-in, tools and metrics like any other.
"""

from worker.builtin.llm import ScriptLLM
from worker.builtin.prewarm import prewarm
from worker.builtin.stt import PhraseSTT
from worker.builtin.tts import EspeakTTS

__all__ = ["EspeakTTS", "PhraseSTT", "ScriptLLM", "prewarm"]
