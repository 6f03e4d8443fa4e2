"""Rate limits of single things, such as a chat session, beside those of keys."""

from dispatch.store.credential_cache import CredentialCache, RateState

__all__ = ["RateLimits", "RateState"]


class RateLimits:
    """Counts requests by subject in sliding windows of 60 s."""

    def __init__(self, cache: CredentialCache) -> None:
        self._cache = cache

    async def take(self, subject: str, per_minute: int) -> RateState:
        """Count a request.

        Args:
            subject: What is counted, for example `chat-message:` and a session's id.
            per_minute: Requests allowed in any 60 s.

        Raises:
            RateLimited: There were as many already.
            StoreUnavailable: Redis did not answer, and nobody counted.
        """
        state = await self._cache.take(subject, per_minute)
        if not state.is_allowed:
            raise state.refusal()
        return state
