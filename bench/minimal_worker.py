"""The bare framework: the worker somebody writes on the first evening with livekit-agents.

Same speech providers and turn taking as the Dialplane agent it is compared with, and nothing else:
no tenant, no credit, no record, no transcript, no limits.
"""

import asyncio
import logging
import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobProcess, inference
from livekit.agents.utils.participant import wait_for_participant_attribute
from livekit.agents.voice.room_io import RoomOptions

from bench.agent import GREETING, MINIMAL_NAME, SCRIPT, SPEECH, TURN_TAKING
from worker.builtin import EspeakTTS, PhraseSTT, ScriptLLM, prewarm


def setup(process: JobProcess) -> None:
    """Load the models of a warm process."""
    prewarm()
    process.userdata["vad"] = inference.VAD(model="silero")


async def entrypoint(ctx: JobContext) -> None:
    """Answer a call."""
    await ctx.connect()
    caller = await ctx.wait_for_participant()
    session: AgentSession[None] = AgentSession(
        stt=PhraseSTT(phrases=SCRIPT.phrases),
        llm=ScriptLLM(SCRIPT),
        tts=EspeakTTS(voice=SPEECH.voice, words_per_minute=SPEECH.words_per_minute),
        vad=ctx.proc.userdata["vad"],
        turn_handling=TURN_TAKING,
        aec_warmup_duration=None,
    )
    options = RoomOptions(participant_identity=caller.identity, delete_room_on_close=True)
    await session.start(Agent(instructions=""), room=ctx.room, room_options=options)
    await wait_for_participant_attribute(
        ctx.room, identity=caller.identity, attribute="sip.callStatus", value="active"
    )
    session.say(GREETING)
    session.on("close", lambda _event: ctx.shutdown("the caller left"))


def main() -> None:
    """Register with the LiveKit server of the environment and work until stopped."""
    logging.basicConfig(level=logging.INFO)
    idle = int(os.environ["WORKER_IDLE_JOBS"])
    # By default a worker's load is the CPU of its machine, and LiveKit sends a loaded one nothing.
    server = AgentServer(
        setup_fnc=setup,
        num_idle_processes=idle,
        port=0,
        load_fnc=lambda worker: len(worker.active_jobs) / 50,
    )
    server.rtc_session(entrypoint, agent_name=MINIMAL_NAME)
    asyncio.run(server.run())


if __name__ == "__main__":
    main()
