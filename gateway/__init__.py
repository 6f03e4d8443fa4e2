"""Speaks HTTP: the products' APIs, the admin API, health and LiveKit's webhooks.

Parses requests, asks `dispatch`, and answers in each product's exact words. It decides nothing and
keeps nothing itself, and it must not know SQL, Redis or LiveKit.
"""
