"""Every error of the application is answered here, in the body of the API that was called."""

import logging
from collections.abc import Sequence
from typing import Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from dispatch.errors import DispatchError, RateLimited, StoreUnavailable
from gateway.answer_headers import let_page_read_refusal
from gateway.auth import GatewayError, PageRefused, Unauthenticated
from gateway.faces import face_of
from gateway.middleware import REQUEST_ID_HEADER
from gateway.problems import Problem
from telephony.errors import TelephonyError

logger = logging.getLogger(__name__)

_AT_THE_DOOR: Final = (PageRefused, Unauthenticated, RateLimited, StoreUnavailable)
"""Refusals that may come before it is known whose pages may read; they say nothing of anybody."""


def install_error_handlers(app: FastAPI, routes: Sequence[BaseRoute] = ()) -> None:
    """Answer every error of the application in the words of the API that was called.

    Args:
        app: The application.
        routes: Its routes, to name every method of a path that was asked with a wrong one; by
            itself the router names those of one route.
    """
    kinds: tuple[type[Exception], ...] = (
        GatewayError,
        DispatchError,
        TelephonyError,
        RequestValidationError,
        HTTPException,
        Exception,
    )
    for kind in kinds:
        app.add_exception_handler(kind, answer_error)

    async def answer_wrong_method(request: Request, error: Exception) -> Response:
        answer = await answer_error(request, error)
        methods = _methods_at(routes, request)
        if methods:
            answer.headers["Allow"] = ", ".join(sorted(methods))
        return answer

    app.add_exception_handler(405, answer_wrong_method)


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer an error in the body of the API that was called."""
    request_id = getattr(request.state, "request_id", "")
    face = face_of(request.url.path)
    problem = face.problem_at(request.url.path, error)
    if problem.status >= 500:
        _log(error, problem, request_id)
    if isinstance(error, _AT_THE_DOOR):
        let_page_read_refusal(request)
    return Response(
        orjson.dumps(face.body_of(problem, request_id)),
        status_code=problem.status,
        media_type="application/json",
        # Starlette answers what nobody foresaw outside of the middleware that adds the id.
        headers={REQUEST_ID_HEADER: request_id, **problem.headers},
    )


def _methods_at(routes: Sequence[BaseRoute], request: Request) -> set[str]:
    here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in here if isinstance(route, Route) for method in route.methods or ()}


def _log(error: Exception, problem: Problem, request_id: str) -> None:
    # Only our own errors have words that are known to hold no personal data.
    own = isinstance(error, DispatchError | TelephonyError)
    logger.warning(
        "request failed",
        extra={
            "status": problem.status,
            "error": type(error).__name__,
            "reason": str(error) if own else "",
            "request_id": request_id,
        },
    )
