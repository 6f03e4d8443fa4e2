"""Passing a call to somebody else: whom, how, and what became of it."""
