"""The bytes of an error: a problem, but where clients of remove.bg and rembg ask, as remove.bg tells errors.

Called for what goes wrong before a route is reached; the routes' own refusals are ``web_api``'s.
"""

import json
from typing import Final

from opal.http.problem_model import Problem

PROBLEM_TYPE: Final = "application/problem+json"
REMOVEBG_PREFIXES: Final = ("/v1.0/", "/api/remove")
"""Addresses whose clients read ``errors[0].title``, whatever went wrong."""


def in_form(problem: Problem, path: str) -> tuple[bytes, str]:
    """Body and media type of the answer to a request for ``path``."""
    if not path.startswith(REMOVEBG_PREFIXES):
        return problem.model_dump_json(exclude_none=True).encode(), PROBLEM_TYPE
    return removebg_errors(problem.title, problem.code, problem.detail), "application/json"


def removebg_errors(title: str, code: str, detail: str) -> bytes:
    """``{"errors": [...]}`` with one error."""
    return json.dumps({"errors": [{"title": title, "code": code, "detail": detail}]}).encode()
