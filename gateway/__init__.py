"""Speaks HTTP: the public APIs, the admin API and the webhook receiver. Knows no audio."""
