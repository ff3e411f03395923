"""``POST /v1.0/removebg`` and ``GET /v1.0/account``: remove.bg's API, for clients that change the address.

The contract is documented in docs/removebg.md. A picture's way is in ``removebg_work.py``.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from opal.cutout_pictures.wanted import Wanted
from opal.database.keys import Scope
from opal.errors import OpalError
from opal.http.disconnect import while_connected
from opal.http.problem import correlation_id_of
from opal.web_api.removebg_body import read_body
from opal.web_api.removebg_caller import Told, identify
from opal.web_api.removebg_errors import Refused, answer_of, translate
from opal.web_api.removebg_openapi import ACCOUNT, REMOVE_BACKGROUND
from opal.web_api.removebg_request import read_wanted
from opal.web_api.removebg_work import Made, Studio

PREFIX: Final = "/v1.0/"
router = APIRouter(tags=["remove.bg"])

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_KNOWN: dict[str, str] = {"removebg": "POST", "account": "GET", "improve": "POST"}

_log = structlog.get_logger(__name__)


def studio_of(request: Request) -> Studio:
    """What the application was created with."""
    studio = request.app.state.studio
    assert isinstance(studio, Studio)
    return studio


async def answered(work: Callable[[Told], Awaitable[Response]]) -> Response:
    """The answer of ``work``, or its error in the contract's form; with the headers that it has told."""
    told = Told()
    try:
        answer = await work(told)
    except ClientDisconnect:
        raise
    except Refused as refused:
        answer = _refusal(refused)
    except OpalError as error:
        if not error.expected:
            _log.warning("picture not made", action="removebg.failed", code=error.code, reason=error.message)
        answer = _refusal(translate(error))
    except Exception:
        _log.exception("picture not made", action="removebg.failed")
        answer = _refusal(translate(OpalError()))
    for name, value in told.headers.items():
        answer.headers.setdefault(name, value)
    return answer


def _refusal(error: Refused) -> Response:
    _log.info("request refused", action="removebg.refused", code=error.code)
    return answer_of(error)


@router.post("/v1.0/removebg", **REMOVE_BACKGROUND)
async def remove_background(request: Request) -> Response:
    """Cut one picture out and answer with it; as remove.bg's API v1.0 does.

    One credit per picture, a quarter for `preview`; nothing is charged for an error, nor again for the same
    request within ten minutes. Nothing is kept.
    """

    async def work(told: Told) -> Response:
        studio = studio_of(request)
        caller = await identify(request, studio.database)
        tenant_id = caller.tenant_id
        with structlog.contextvars.bound_contextvars(tenant_id=tenant_id), studio.line.place(tenant_id):
            body = await read_body(request, studio.line, studio.settings.max_bytes)
            try:
                wanted = read_wanted(body.fields)
                making = studio.make(caller, body, wanted, told, correlation_id_of(request))
                made = await while_connected(request, making)
            finally:
                body.close()
        return _picture(made, wanted, as_json=_wants_json(request))

    return await answered(work)


@router.get("/v1.0/account", **ACCOUNT)
async def read_account(request: Request) -> Response:
    """Credits as remove.bg's clients read them; exactly these fields, as some clients refuse any other."""

    async def work(_told: Told) -> Response:
        caller = await identify(request, studio_of(request).database, Scope.READ)
        whole, rest = divmod(caller.funds, 4)
        total = whole if rest == 0 else caller.funds / 4
        credit = {"total": total, "subscription": 0, "payg": total, "enterprise": 0}
        attributes = {"credits": credit, "api": {"free_calls": 0, "sizes": "all"}}
        return _json({"data": {"attributes": attributes}})

    return await answered(work)


def no_such_route() -> APIRouter:
    """Everything else under the prefix: the same form of error; included after all other routes."""
    rest = APIRouter()

    @rest.api_route("/v1.0/{path:path}", methods=list(_METHODS), include_in_schema=False)
    async def unknown(path: str) -> Response:
        if path not in _KNOWN:
            return answer_of(Refused("not_found", "There is nothing at this address."))
        allowed = _KNOWN[path]
        return answer_of(Refused("method_not_allowed", f"Use {allowed}.", {"Allow": allowed}))

    return rest


def _picture(made: Made, wanted: Wanted, *, as_json: bool) -> Response:
    picture, box = made.picture, made.picture.foreground
    headers = {
        "X-Width": str(picture.width),
        "X-Height": str(picture.height),
        "X-Credits-Charged": f"{made.credits:g}",
        "X-Foreground-Top": str(box.top),
        "X-Foreground-Left": str(box.left),
        "X-Foreground-Width": str(box.width),
        "X-Foreground-Height": str(box.height),
        # A picture is for who sent it; no cache on the way may keep it.
        "Cache-Control": "no-store",
    }
    if wanted.type_name is not None:
        headers["X-Type"] = wanted.type_name
    if not as_json:
        return Response(picture.data, headers=headers, media_type=picture.media_type)
    data = {
        "result_b64": base64.b64encode(picture.data).decode("ascii"),
        "foreground_top": box.top,
        "foreground_left": box.left,
        "foreground_width": box.width,
        "foreground_height": box.height,
    }
    answer = _json({"data": data})
    answer.headers.update(headers)
    return answer


def _wants_json(request: Request) -> bool:
    """Whether JSON is asked for by name; ``*/*`` is not asking."""
    accepted = request.headers.get("accept", "").lower()
    return any(part.partition(";")[0].strip() == "application/json" for part in accepted.split(","))


def _json(document: object) -> Response:
    return Response(json.dumps(document), media_type="application/json")
