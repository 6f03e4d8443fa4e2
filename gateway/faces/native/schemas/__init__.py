"""Bodies: the API of Dialplane itself."""
