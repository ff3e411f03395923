"""A client of the public HTTP API, as a customer would write one.

Used by `opal demo`, and through ``api_session.py`` by `opal webhooks` and `opal deliver`.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import quote

import httpx
from httpx_sse import aconnect_sse

from opal.errors import OpalError
from opal.outgoing.authorities import authorities

TERMINAL = frozenset({"exported", "failed", "cancelled"})

_TIMEOUT_S = 60.0
_STREAM_TRIES = 3
_POLL_S = 1.0
_PAGE = 200


class RequestRefused(OpalError):
    """The API refused a request."""

    title: ClassVar[str] = "Request refused"
    expected: ClassVar[bool] = True

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        # The answer's own stable code is the one to show.
        self.code = code  # type: ignore[misc]


class ApiUnreachable(OpalError):
    """web-api did not answer.

    See that it runs (`opal up`, `opal web-api`) and check `OPAL_API_URL`.
    """

    code: ClassVar[str] = "api_unreachable"
    title: ClassVar[str] = "API unreachable"
    expected: ClassVar[bool] = True


class DownloadDamaged(OpalError):
    """A download does not have the hash that the API names.

    Run the command again; if it stays so, something between here and the service changes what is sent.
    """

    code: ClassVar[str] = "download_damaged"
    title: ClassVar[str] = "Download damaged"


class NotAnApi(OpalError):
    """What answered is no web-api, or one of another version.

    Check `OPAL_API_URL`, and that both have the same version.
    """

    code: ClassVar[str] = "not_an_api"
    title: ClassVar[str] = "Not an API"
    expected: ClassVar[bool] = True


class Answer(dict[str, Any]):
    """An object of an answer, at any depth; reading what it lacks raises ``NotAnApi``."""

    def __missing__(self, name: str) -> Any:
        raise NotAnApi(f"What answered is no web-api of this version: there is no `{name}`.")

    def objects(self, name: str) -> list["Answer"]:
        """The list called ``name``. Raises ``NotAnApi`` unless it is one of objects."""
        found = self[name]
        if not isinstance(found, list) or not all(isinstance(each, Answer) for each in found):
            raise NotAnApi(f"What answered is no web-api of this version: `{name}` is no list of objects.")
        return found


def address(*parts: str) -> str:
    """The path under /v1 whose parts are these: names, and ids as a person gave them.

    An id stays one part, whatever is in it: it leads to its own resource or to none.
    """
    # Dots alone would be taken for steps up the path; no id has one.
    return "/v1/" + "/".join(quote(part, safe="").replace(".", "%2E") for part in parts)


@dataclass(frozen=True, slots=True)
class Change:
    """An item of a followed job is in another state now."""

    item_id: str
    state: str


class ApiClient:
    """One tenant's view of one Opal."""

    def __init__(self, base_url: str, key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"X-API-Key": key},
            timeout=_TIMEOUT_S,
            trust_env=False,
            verify=authorities(),
        )
        # Signed URLs carry their own permission; a key sent along would be a key given away.
        self._bare = httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False, verify=authorities())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        await self._bare.aclose()

    async def get(self, path: str, **query: str | int | None) -> Answer:
        """GET ``path``; what is None is left out. Raises ``RequestRefused`` and ``ApiUnreachable``."""
        return await self._call("GET", path, query, None)

    async def post(self, path: str, body: object = None, **query: str | int | None) -> Answer:
        """POST ``body``, if any, as JSON. Raises ``RequestRefused`` and ``ApiUnreachable``."""
        return await self._call("POST", path, query, body)

    async def entries(self, path: str, name: str, limit: int, **query: str | int | None) -> list[Answer]:
        """The first ``limit`` of a list called ``name`` that comes in pages."""
        found: list[Answer] = []
        cursor: str | None = None
        while len(found) < limit:
            size = min(_PAGE, limit - len(found))
            page = await self.get(path, limit=size, cursor=cursor, **query)
            found += page.objects(name)
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return found

    async def create_job(
        self, name: str, scene: str, presets: Sequence[str], filenames: Sequence[str], *, idempotency_key: str
    ) -> Answer:
        """POST /v1/jobs; a repeat with the same key creates nothing and answers the same."""
        body = {
            "name": name,
            "scene": scene,
            "presets": list(presets),
            "items": [{"filename": filename} for filename in filenames],
        }
        headers = {"Idempotency-Key": idempotency_key}
        return _json(await self._http.post("/v1/jobs", json=body, headers=headers))

    async def upload(self, job_id: str, item_id: str, photo: Path) -> None:
        """Ask for a URL, PUT the photo there, say that it is there. Raises ``RequestRefused``."""
        ids = {"job_id": job_id, "item_id": item_id}
        ticket = _json(await self._http.post("/v1/uploads/sas", json=ids))
        data = await asyncio.to_thread(photo.read_bytes)
        _check(
            await self._bare.request(ticket["method"], ticket["url"], headers=ticket["headers"], content=data)
        )
        _json(await self._http.post("/v1/uploads/complete", json={**ids, "upload_id": ticket["upload_id"]}))

    async def job(self, job_id: str) -> Answer:
        """GET /v1/jobs/{id}."""
        return _json(await self._http.get(address("jobs", job_id)))

    async def follow(self, job_id: str) -> AsyncIterator[Change]:
        """Every change of the job's items until the job is finished: by event stream, else by polling."""
        last_id = ""
        for _ in range(_STREAM_TRIES):
            try:
                headers = {"Last-Event-ID": last_id} if last_id else {}
                url = address("jobs", job_id, "events")
                async with aconnect_sse(self._http, "GET", url, headers=headers) as source:
                    if source.response.status_code == httpx.codes.NO_CONTENT:
                        return
                    source.response.raise_for_status()
                    async for event in source.aiter_sse():
                        last_id = event.id or last_id
                        if not event.data:
                            # A heartbeat's empty line, which the standard would not dispatch (HTML, 9.2.6).
                            continue
                        data = event.json()
                        if event.event == "item":
                            yield Change(data["item_id"], data["state"])
                        elif event.event == "job" and data["finished"]:
                            return
            except httpx.HTTPError:
                await asyncio.sleep(_POLL_S)
        async for change in self._poll(job_id):
            yield change

    async def _call(
        self, method: str, path: str, query: Mapping[str, str | int | None], body: object
    ) -> Answer:
        given = {name: value for name, value in query.items() if value is not None}
        try:
            answer = await self._http.request(method, path, params=given, json=body)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise ApiUnreachable(f"{self._http.base_url} did not answer ({type(error).__name__}).") from error
        return _json(answer)

    async def _poll(self, job_id: str) -> AsyncIterator[Change]:
        seen: dict[str, str] = {}
        while True:
            items = (await self.job(job_id))["items"]
            for item in items:
                if seen.get(item["id"]) != item["state"]:
                    seen[item["id"]] = item["state"]
                    yield Change(item["id"], item["state"])
            if all(item["state"] in TERMINAL for item in items):
                return
            await asyncio.sleep(_POLL_S)

    async def variants(self, job_id: str, item_id: str) -> Answer:
        """GET …/variants: the pictures with their reports and signed URLs."""
        return _json(await self._http.get(address("jobs", job_id, "items", item_id, "variants")))

    async def download(self, url: str, target: Path, sha256: str | None = None) -> None:
        """Fetch a signed URL into ``target``. Raises ``DownloadDamaged`` when ``sha256`` does not fit."""
        async with self._bare.stream("GET", url) as response:
            await _store(response, target, sha256)

    async def archive(self, job_id: str, target: Path) -> None:
        """GET …/archive.zip into ``target``."""
        async with self._http.stream("GET", f"{address('jobs', job_id)}/archive.zip") as response:
            await _store(response, target, None)


async def _store(response: httpx.Response, target: Path, sha256: str | None) -> None:
    if response.is_error:
        await response.aread()
    _check(response)
    digest = hashlib.sha256()
    unfinished = target.with_name(target.name + ".part")
    with unfinished.open("wb") as file:
        async for piece in response.aiter_bytes():
            digest.update(piece)
            file.write(piece)
    if sha256 is not None and digest.hexdigest() != sha256:
        raise DownloadDamaged(f"{target.name}: the bytes do not have the hash that the API names.")
    unfinished.replace(target)


def _check(response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    raise RequestRefused(
        problem.get("code", f"http_{response.status_code}"),
        problem.get("detail")
        or problem.get("title")
        or f"{response.request.url.path}: {response.status_code}",
    )


def _json(response: httpx.Response) -> Answer:
    _check(response)
    try:
        answer = response.json(object_hook=Answer)
    except ValueError:
        answer = None
    if not isinstance(answer, Answer):
        raise NotAnApi(f"What answered at {response.request.url.host} is no web-api: it gave no object.")
    return answer
