"""Bodies: Agntix's API."""
