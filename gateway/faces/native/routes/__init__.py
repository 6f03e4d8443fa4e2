"""Routes: the API of Dialplane itself."""
