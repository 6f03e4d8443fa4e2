"""Which models an agent listens, thinks and speaks with, and which there are to choose from."""
