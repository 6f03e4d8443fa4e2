"""Speech engines that need no network and no keys: espeak-ng speaks, PocketSphinx listens.

Nothing here knows LiveKit. The worker wraps these engines for livekit-agents, and the softphone
uses them directly to speak as a caller and to understand what it hears.
"""
