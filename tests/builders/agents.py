"""Stored agents for tests that need no store."""

import uuid
from datetime import UTC, datetime
from typing import Any

from dispatch.agent_profile import AgentProfile


def a_profile(*, knowledge_bases: int = 0, **fields: Any) -> AgentProfile:
    """Return an agent with so many knowledge bases and these fields."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    return AgentProfile(
        agent_id=uuid.uuid4(),
        config_id=1,
        organization_id=uuid.uuid4(),
        project_id=uuid.uuid4(),
        version=1,
        created_at=now,
        updated_at=now,
        name="Bakery",
        knowledge_base_ids=tuple(uuid.uuid4() for _ in range(knowledge_bases)),
        **fields,
    )
