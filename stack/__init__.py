"""The embedded stack: every part of Dialplane on one machine, without Docker.

Builds or finds the servers, starts them in order, watches them, and stops them without leaving a
process behind. The demo and the command line live here too and talk to the rest over HTTP and SIP,
as any user would.
"""
