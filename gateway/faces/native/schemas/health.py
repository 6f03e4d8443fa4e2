"""Bodies of health and readiness."""

from typing import Literal

from pydantic import Field

from gateway.schemas.base import Answer


class HealthAnswer(Answer):
    """The process lives."""

    status: Literal["ok"] = "ok"


class CheckAnswer(Answer):
    """One thing without which calls are not answered."""

    ok: bool
    detail: str = Field(examples=["2 workers, 50 free"])


class ReadinessAnswer(Answer):
    """Whether calls can be answered now."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, CheckAnswer]
