"""The words and wires of the phone network.

E.164 numbers, calls and legs, trunks and dispatch rules as data, the ports through which LiveKit
is reached and their adapters, the softphone, and speech engines that need no keys. This layer
knows no database, no HTTP server and no tenant.
"""
