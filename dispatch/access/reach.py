"""How far a caller reaches: the whole installation, one organisation, or one project of it."""

import uuid
from dataclasses import dataclass
from typing import Final

from dispatch.accounts import Principal
from dispatch.errors import NotFound


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a caller may act; what lies elsewhere is not there for them."""

    organization_id: uuid.UUID | None = None
    """None for every organisation."""
    project_id: uuid.UUID | None = None
    """None for every project of the organisation."""

    def require_organization(self, organization_id: uuid.UUID) -> None:
        """Let nobody act on another organisation.

        Raises:
            NotFound: It is out of reach, which is told like one that does not exist.
        """
        if self.organization_id not in (None, organization_id):
            raise NotFound("organization", organization_id)

    def covers(self, organization_id: uuid.UUID, project_id: uuid.UUID) -> bool:
        """Whether a project is within reach."""
        return self.organization_id in (None, organization_id) and self.project_id in (
            None,
            project_id,
        )


EVERYWHERE: Final = Reach()
"""The installation's administrator's."""


def reach_of(principal: Principal) -> Reach:
    """Return how far the holder of a key, or a user in a project, reaches."""
    return Reach(principal.organization_id, principal.project_id)
