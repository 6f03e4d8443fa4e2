"""What makes one API look like itself: which paths are its own, and how it words its errors."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter

from gateway.problems import Problem


@dataclass(frozen=True, slots=True)
class Face:
    """One API over the common core."""

    name: str
    paths: re.Pattern[str]
    """Matches the start of every path that is this API's, also of those where nothing is."""
    routers: tuple[APIRouter, ...]
    problem_of: Callable[[Exception], Problem]
    """How it answers an error; `gateway.problems.problem_of` unless it has words of its own."""
    body_of: Callable[[Problem, str], dict[str, Any]]
    """The error's body, from the problem and the request's id."""

    def problem_at(self, path: str, error: Exception) -> Problem:
        """Return how an error is answered at a path; the same at all, for most APIs."""
        del path
        return self.problem_of(error)
