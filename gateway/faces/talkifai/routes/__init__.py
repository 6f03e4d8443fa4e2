"""Routes: TalkifAI's API."""
