"""How an error of the native API looks; Agntix's and the administration's look the same."""

from datetime import UTC, datetime
from typing import Any

from gateway.problems import Problem


def native_body(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the body of a problem in the native shape."""
    error: dict[str, Any] = {
        "code": problem.code,
        "message": problem.message,
        "status": problem.status,
    }
    if problem.details:
        error["details"] = [
            {"field": detail.field, "message": detail.message} for detail in problem.details
        ]
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"error": error, "meta": {"requestId": request_id, "timestamp": now}}
