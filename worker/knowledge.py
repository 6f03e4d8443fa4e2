"""What an agent can look up during a call."""

from typing import TYPE_CHECKING

from dispatch.agent_profile import AgentProfile
from dispatch.knowledge.answering import LookUp, look_up
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.settings import DispatchSettings
from dispatch.tools.addresses import AllowedHosts

if TYPE_CHECKING:
    from dispatch.knowledge.brief_search import BriefSearch


class CallKnowledge:
    """The knowledge bases as one call reaches them: the only way from a call to Postgres.

    It is opened by the first look-up, and nothing but a look-up ever waits for it.

    Args:
        settings: Where Postgres is.
        secrets: Where the keys of embedding servers are.
        allowed: Hosts where these may be although they are not public.
    """

    def __init__(
        self, settings: DispatchSettings, secrets: CallSecrets, allowed: AllowedHosts
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._allowed = allowed
        self._opened: BriefSearch | None = None

    async def look_up(self, agent: AgentProfile, query: object) -> LookUp:
        """Search an agent's knowledge bases; what is down is told and not raised."""
        return await look_up(self._open(), agent, query)

    async def aclose(self) -> None:
        """Close it if it was opened."""
        if self._opened is not None:
            await self._opened.aclose()

    def _open(self) -> "BriefSearch":
        if self._opened is None:
            # Calls without a look-up pay nothing for SQL: the process that all jobs are forked
            # from has read it, and only here it is asked for.
            from dispatch.knowledge.brief_search import BriefSearch  # noqa: PLC0415

            url = self._settings.database_url.get_secret_value()
            self._opened = BriefSearch(url, self._secrets, self._allowed)
        return self._opened
