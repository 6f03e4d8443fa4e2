"""What happens in a chat, as TalkifAI's server-sent events.

Source: TalkifAI's page "Send Message"; `handoff` carries the fields of both of its versions.
"""

from typing import Any

from fastapi.sse import ServerSentEvent

from dispatch.chat.events import (
    ChatError,
    ChatEvent,
    Chunk,
    Handoff,
    StreamEnd,
    StreamStart,
    ToolCall,
    ToolResult,
)


def frame_of(event: ChatEvent) -> ServerSentEvent:
    """Return an event as it goes over the wire."""
    data: dict[str, Any]
    match event:
        case StreamStart():
            name, data = "stream_start", {"agent_name": event.agent_name}
        case Chunk():
            name, data = "chunk", {"delta": event.delta}
        case ToolCall():
            name, data = "tool_call", {"name": event.name, "status": "executing"}
        case ToolResult():
            name, data = "tool_result", {"name": event.name, "status": "completed"}
        case Handoff():
            agents = {"from_agent": event.from_agent, "to_agent": event.to_agent}
            name, data = "handoff", {"to": event.to_agent, **agents}
        case StreamEnd():
            usage = {
                "input_tokens": event.usage.input_tokens,
                "output_tokens": event.usage.output_tokens,
            }
            name, data = "stream_end", {"usage": usage, "end_session": event.end_session}
        case ChatError():
            name, data = "error", {"error": event.sentence}
    return ServerSentEvent(event=name, data=data)
