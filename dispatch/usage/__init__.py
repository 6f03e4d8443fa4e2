"""Paying for what is used, reporting it, and what a plan allows."""
