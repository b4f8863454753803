"""Errors on the wire: one JSON form for everything that goes wrong, `{"code", "message", "remedy"}`."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from apiflask import APIFlask
from flask import Response, request
from werkzeug.exceptions import HTTPException

from appliance.channels.http.reply import json_response
from appliance.errors import (
    ApplianceError,
    BadRequest,
    ForeignHost,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMedia,
)
from appliance.request import current
from appliance.trail import trail

log = logging.getLogger(__name__)

BY_STATUS: dict[int, type[ApplianceError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: ForeignHost,
    404: NotFound,
    405: MethodNotAllowed,
    408: RequestTimeout,
    413: TooLarge,
    414: TooLarge,
    415: UnsupportedMedia,
    422: InvalidInput,
    429: TooManyRequests,
    431: TooLarge,
    503: Overloaded,
}
"""The typed error that stands for a bare HTTP status."""


def problem_json(error: ApplianceError) -> dict[str, Any]:
    """The body that every error has; `request_id` where it is the answer to a request that was read."""
    body = {"code": error.code, "message": error.message, "remedy": error.remedy}
    return {**body, "request_id": current()} if current() else body


def problem_response(error: ApplianceError) -> Response:
    """`error` as a response, with Retry-After where waiting helps and the challenge where a token does."""
    response = json_response(problem_json(error), error.status)
    if error.wait_s is not None:
        response.headers["Retry-After"] = str(error.wait_s)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="appliance"'
    return response


def where() -> str:
    """Method and route of the current request, without anything that a customer wrote."""
    return f"{request.method} {request.url_rule.rule if request.url_rule is not None else 'no route'}"


def noted(error: Exception, place: str) -> tuple[ApplianceError, dict[str, Any]]:
    """`error` as a typed one with its body, logged where an operator should know; `place` is what `where` says.

    Of a defect the log gets type and place, without its message, which may hold a customer's words; the client an
    identifier to quote and nothing more.
    """
    if isinstance(error, ApplianceError):
        if error.status >= 500 and error.status != 503:
            log.error("%s: %s: %s", place, error.code, error.detail, extra={"about": f"{place}: {error.code}"})
        return error, problem_json(error)
    error_id = secrets.token_hex(6)
    log.error("error %s in %s: %s", error_id, place, trail(error))
    typed = ApplianceError(f"error {error_id}")
    return typed, {**problem_json(typed), "error_id": error_id}


def _typed(error: ApplianceError) -> Response:
    noted(error, where())
    return problem_response(error)


def _http(error: HTTPException) -> Response:
    """Werkzeug's own refusals (no route, wrong method, broken framing) in the appliance's form."""
    status = error.code or 500
    if status < 400:  # a redirect is an exception to werkzeug and an answer to us
        return Response(error.get_body(), status, headers=error.get_headers())
    kind = BY_STATUS.get(status, BadRequest if status < 500 else ApplianceError)
    said = {404: "expected a route of this appliance, got another path", 405: "expected a method that this route has"}
    typed = kind(said.get(status, error.name))
    response = problem_response(typed)
    response.status_code = status
    for name, value in error.get_headers():
        if name.lower() == "allow":
            response.headers["Allow"] = value
    return response


def _unexpected(error: Exception) -> Response:
    return json_response(noted(error, where())[1], 500)


def register_problems(app: APIFlask) -> None:
    """Let every way to fail end in the one form."""
    app.register_error_handler(ApplianceError, _typed)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)
