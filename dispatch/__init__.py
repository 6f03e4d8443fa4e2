"""Decides who answers and remembers what happened.

Tenants, agents, numbers, routing, admission, credits, trunk convergence and the record of every
call. Owns Postgres (the record) and Redis (what is live). The call path, that is answering,
metering and ending a call, touches Redis only. This layer knows no HTTP status and no audio.
"""
