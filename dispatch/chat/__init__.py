"""Chats in writing: opens and ends them, and lets an agent answer one message at a time.

Knows no HTTP: what happens while an agent answers comes out as events, which the gateway's faces
turn into their own words. A chat lives in Postgres, unlike a call, and is refused while Postgres
is away.
"""
