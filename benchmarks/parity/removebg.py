"""Ask a service that speaks remove.bg's API v1.0 for every form, size, format and error; tell what differs.

Run against your own Opal; with ``--against`` any other service is asked too, and laid side by side.
"""

import argparse
import base64
import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pyvips

import opal.images  # noqa: F401 - hardens libvips before it opens an answer

Answer = httpx.Response
_MEGAPIXEL = 1_000_000
_LIMITS = {"preview": 0.25, "small": 0.25, "regular": 0.25, "medium": 1.5, "hd": 4, "full": 25, "auto": 25}
_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "zip": "application/zip"}


class Service:
    """One address with its key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(headers={"X-Api-Key": key}, timeout=180, trust_env=False)

    def ask(self, photo: bytes | None, accept: str = "*/*", **fields: str) -> Answer:
        """One request with the photo as a file."""
        files = {"image_file": ("photo", photo)} if photo is not None else None
        return self._http.post(
            f"{self.url}/v1.0/removebg", files=files, data=fields, headers={"Accept": accept}
        )

    def ask_in_base64(self, photo: bytes, *, as_json: bool) -> Answer:
        """One request with the photo as text."""
        body = {"image_file_b64": base64.b64encode(photo).decode()}
        address = f"{self.url}/v1.0/removebg"
        return self._http.post(address, json=body) if as_json else self._http.post(address, data=body)

    def account(self) -> Answer:
        """The account."""
        return self._http.get(f"{self.url}/v1.0/account")


Check = tuple[str, Callable[[Service], str | None]]
"""What is checked, and a function that gives what is wrong, or None."""


def checks(photo: bytes) -> Iterator[Check]:
    """Every check, cheapest answer first."""
    yield "no picture is missing_source", lambda service: _refused(service.ask(None), 400, "missing_source")
    yield "no picture file is invalid_file_type", lambda s: _refused(s.ask(b"text"), 400, "invalid_file_type")
    for name in ("size", "format", "channels", "crop_margin", "scale", "position", "roi", "bg_color"):
        yield f"a bad {name}", _bad_field(photo, name)
    yield "the account", _account
    yield "base64 in a form", lambda s: _picture(s.ask_in_base64(photo, as_json=False), "image/png")
    yield "base64 in JSON", lambda s: _picture(s.ask_in_base64(photo, as_json=True), "image/png")
    yield "an answer in JSON", lambda s: _in_json(s.ask(photo, "application/json"))
    for size, most in _LIMITS.items():
        yield f"size {size}", _limited(photo, size, most)
    for kind, media_type in _TYPES.items():
        yield f"format {kind}", _format(photo, kind, media_type)
    yield "a colour makes a JPEG", lambda s: _picture(s.ask(photo, bg_color="white"), "image/jpeg")
    yield "alpha alone", lambda s: _picture(s.ask(photo, channels="alpha"), "image/png")
    yield "crop and margin", lambda s: _picture(s.ask(photo, crop="true", crop_margin="5%"), "image/png")
    yield "scale", lambda s: _picture(s.ask(photo, scale="80%"), "image/png")


def _refused(answer: Answer, status: int, code: str) -> str | None:
    if answer.status_code != status:
        return f"HTTP {answer.status_code} instead of {status}"
    found = answer.json().get("errors", [{}])[0]
    if not found.get("title"):
        return "errors[0].title is empty"
    return None if found.get("code") == code else f"code {found.get('code')} instead of {code}"


def _bad_field(photo: bytes, name: str) -> Callable[[Service], str | None]:
    return lambda service: _refused(service.ask(photo, **{name: "no such thing"}), 400, f"invalid_{name}")


def _account(service: Service) -> str | None:
    answer = service.account()
    if answer.status_code != httpx.codes.OK:
        return f"HTTP {answer.status_code}"
    attributes = answer.json()["data"]["attributes"]
    exact = set(attributes["credits"]) == {"total", "subscription", "payg", "enterprise"}
    return None if exact and set(attributes["api"]) == {"free_calls", "sizes"} else "other fields"


def _picture(answer: Answer, media_type: str) -> str | None:
    if answer.status_code != httpx.codes.OK:
        return f"HTTP {answer.status_code}: {answer.text[:120]}"
    if answer.headers["content-type"] != media_type:
        return f"{answer.headers['content-type']} instead of {media_type}"
    missing = [name for name in ("X-Width", "X-Height", "X-Credits-Charged") if name not in answer.headers]
    if missing:
        return f"without {', '.join(missing)}"
    if media_type == "application/zip":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            names = set(archive.namelist())
        return None if {"color.jpg", "alpha.png"} <= names else f"holds {names}"
    image = pyvips.Image.new_from_buffer(answer.content, "")
    told = (int(answer.headers["X-Width"]), int(answer.headers["X-Height"]))
    return (
        None if told == (image.width, image.height) else f"{told} told, {image.width} x {image.height} sent"
    )


def _in_json(answer: Answer) -> str | None:
    if answer.status_code != httpx.codes.OK:
        return f"HTTP {answer.status_code}"
    data = answer.json()["data"]
    wanted = {"result_b64", *(f"foreground_{side}" for side in ("top", "left", "width", "height"))}
    return None if wanted <= set(data) else f"without {wanted - set(data)}"


def _limited(photo: bytes, size: str, most: float) -> Callable[[Service], str | None]:
    def check(service: Service) -> str | None:
        answer = service.ask(photo, size=size, format="jpg")
        wrong = _picture(answer, "image/jpeg")
        if wrong is not None:
            return wrong
        pixels = int(answer.headers["X-Width"]) * int(answer.headers["X-Height"])
        return None if pixels <= most * _MEGAPIXEL else f"{pixels:,} pixels"

    return check


def _format(photo: bytes, kind: str, media_type: str) -> Callable[[Service], str | None]:
    return lambda service: _picture(service.ask(photo, format=kind), media_type)


def main() -> None:
    """Run every check against one or two services; ends with 1 when the first fails any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key", required=True)
    parser.add_argument("--against", help="another service's address, such as https://api.remove.bg")
    parser.add_argument("--against-key", default="")
    options = parser.parse_args()
    services = [Service(options.url, options.key)]
    if options.against:
        services.append(Service(options.against, options.against_key))
    failed, count = 0, 0
    for name, check in checks(options.photo.read_bytes()):
        found = [check(service) for service in services]
        failed, count = failed + (found[0] is not None), count + 1
        print(
            f"{name:<40} " + " | ".join("holds" if wrong is None else f"DIFFERS: {wrong}" for wrong in found)
        )
    print(f"{count - failed} of {count} hold at {services[0].url}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
