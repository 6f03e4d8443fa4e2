"""Measures Dialplane against the bare framework, in one run on one machine.

`python -m bench` prints a table of ratios. Nothing here is a test: a benchmark that fails on a busy
machine proves nothing.
"""
