"""Speaks with the caller: one livekit-agents job per call. Knows no HTTP server."""
