"""Routes: Agntix's API."""
