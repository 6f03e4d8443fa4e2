"""Models of vendors: Deepgram, OpenAI, and every server that speaks their protocols.

The plugins of livekit-agents do the talking. Here stand which of a profile's words mean which of
their arguments, whose key is used, and where a connection may go.
"""
