"""How TalkifAI words what is wrong with a call that is to be placed."""

from fastapi.exceptions import RequestValidationError

from dispatch.errors import InsufficientCredits, InvalidField, NotFound
from dispatch.outbound.requests import AgentCannotCall
from gateway.auth import Unauthenticated
from gateway.problems import Problem, problem_of
from telephony.errors import InvalidNumber

_WRONG_NUMBER = "Invalid phone number format"


def calls_problem_of(error: Exception) -> Problem:
    """Return how an error is answered where calls are placed."""
    problem = problem_of(error)
    match error:
        case Unauthenticated():
            status, detail = 401, "Invalid API key"
        case AgentCannotCall(agent_name=name):
            status = 400
            detail = f"Agent '{name}' is a text-only agent and cannot make voice calls"
        case InsufficientCredits():
            status, detail = 402, "Insufficient balance to make call"
        case NotFound():
            status = 404
            detail = f"Phone number {error.key} not found or has no outbound agent assigned"
        case InvalidField() if isinstance(error.__cause__, InvalidNumber):
            status, detail = 400, _WRONG_NUMBER
        case RequestValidationError() if _is_about_numbers(problem):
            status, detail = 400, _WRONG_NUMBER
        case _:
            return problem
    return Problem(status, problem.code, detail, headers=problem.headers)


def _is_about_numbers(problem: Problem) -> bool:
    return any(detail.field in ("to_number", "from_number") for detail in problem.details)
