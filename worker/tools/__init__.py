"""Tools an agent can use in a call."""
