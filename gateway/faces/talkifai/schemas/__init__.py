"""Bodies: TalkifAI's API."""
