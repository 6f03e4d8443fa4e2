"""Bodies: VoxAI's API."""
