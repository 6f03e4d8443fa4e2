"""Routes: VoxAI's API."""
