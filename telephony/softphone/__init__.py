"""A small SIP phone in one process: it calls, is called, speaks, listens and presses keys.

SIP over UDP (RFC 3261), G.711 over RTP in real time (RFC 3550), digits both ways (RFC 4733).
`phone.Softphone` is the way in. It serves the demo, the command line, the benchmark and the
tests as the far end of a call; it knows nothing of LiveKit, of agents or of a database.
"""
