"""Reads the C2PA manifest of any picture: whether it holds, who signed it, what it says was done.

Called by `opal inspect`. Nothing is fetched from the network: a manifest that lies elsewhere is not read.
"""

import io
import json
import re
from dataclasses import dataclass
from typing import Any

from opal.content_credentials.manifest import HASH_PREFIX

_OPTIONS = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
_HASH = re.compile(re.escape(HASH_PREFIX) + r"([0-9a-f]{64})\b")
_VOCABULARY = re.compile(r"https?://cv\.iptc\.org/newscodes/digitalsourcetype/(\w+)")

UNREADABLE, ELSEWHERE = "Unreadable", "Elsewhere"
UNTRUSTED = "signingCredential.untrusted"
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that was done, as the manifest tells it."""

    action: str
    description: str | None
    digital_source_type: str | None
    """Short name of IPTC's vocabulary."""
    ingredients: tuple[str, ...]
    """Titles of what it was done with."""


@dataclass(frozen=True, slots=True)
class Ingredient:
    """What the picture was made from."""

    title: str | None
    relationship: str | None
    format: str | None
    sha256: str | None
    """Where the description tells it as Opal writes it."""


@dataclass(frozen=True, slots=True)
class ContentCredentials:
    """A picture's active manifest."""

    state: str
    """`Trusted`, `Valid`, `Invalid`; `Unreadable` where there is one that cannot be parsed, and `Elsewhere`
    where the file only names the place of one."""
    problems: tuple[str, ...]
    """The library's codes of what is amiss. `signingCredential.untrusted` is no fault of the picture: its
    signer is on no list of trusted ones, and unless one is given there is none to be on."""
    signer: str | None = None
    issuer: str | None = None
    algorithm: str | None = None
    signed_at: str | None = None
    """By a timestamp authority; None where none was asked."""
    claim_generator: str | None = None
    title: str | None = None
    actions: tuple[Action, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether picture or manifest are not as they were signed."""
        return self.state not in {"Valid", "Trusted", ELSEWHERE}


def read_content_credentials(
    data: bytes, media_type: str, *, trusted: str | None = None
) -> ContentCredentials | None:
    """What the picture's manifest says, checked against its pixels; None where it has none.

    `trusted` is PEM text of certificates whose signatures count as trusted. A manifest that is damaged
    beyond reading is `Unreadable`, with the library's words as its problem.
    """
    import c2pa  # noqa: PLC0415 - 0.15 s that only those wait who read one

    options = _OPTIONS if trusted is None else {**_OPTIONS, "trust": {"trust_anchors": trusted}}
    try:
        with (
            c2pa.Context.from_dict(options) as context,
            c2pa.Reader(media_type, io.BytesIO(data), context=context) as reader,
        ):
            told: dict[str, Any] = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        # A reference to a manifest has no error class of its own in c2pa-python 0.38.
        state = ELSEWHERE if str(error).startswith("Remote:") else UNREADABLE
        return ContentCredentials(state, (_plain(str(error)) or "",))
    try:
        return _credentials(told)
    except (AttributeError, KeyError, TypeError) as error:
        # Signed or not, another program's manifest may have a shape that none of ours has.
        return ContentCredentials(UNREADABLE, (f"the manifest has an unknown shape: {error!r}",))


def _credentials(told: dict[str, Any]) -> ContentCredentials:
    manifest = told["manifests"][told["active_manifest"]]
    signature = manifest.get("signature_info") or {}
    return ContentCredentials(
        state=str(told.get("validation_state", "Invalid")),
        problems=tuple(dict.fromkeys(str(each["code"]) for each in told.get("validation_status") or ())),
        signer=_plain(signature.get("common_name") or signature.get("issuer")),
        issuer=_plain(signature.get("issuer")),
        algorithm=_plain(signature.get("alg")),
        signed_at=_plain(signature.get("time")),
        claim_generator=_plain(_generator(manifest)),
        title=_plain(manifest.get("title")),
        actions=tuple(_actions(manifest)),
        ingredients=tuple(_ingredient(each) for each in manifest.get("ingredients") or ()),
    )


def _generator(manifest: dict[str, Any]) -> str | None:
    for each in manifest.get("claim_generator_info") or ():
        return " ".join(str(each[key]) for key in ("name", "version") if each.get(key)) or None
    generator: str | None = manifest.get("claim_generator")
    return generator


def _actions(manifest: dict[str, Any]) -> list[Action]:
    titles = {
        each.get("label"): _plain(each.get("title")) or "untitled"
        for each in manifest.get("ingredients") or ()
    }
    found = []
    for assertion in manifest.get("assertions") or ():
        if not str(assertion.get("label", "")).startswith("c2pa.actions"):
            continue
        for action in assertion["data"].get("actions") or ():
            links = (action.get("parameters") or {}).get("ingredients") or ()
            labels = [str(link.get("url", "")).rsplit("/", 1)[-1] for link in links]
            source = _VOCABULARY.match(str(action.get("digitalSourceType", "")))
            found.append(
                Action(
                    action=_plain(action.get("action")) or "",
                    description=_plain(action.get("description")),
                    digital_source_type=source[1] if source else None,
                    ingredients=tuple(titles[label] for label in labels if label in titles),
                )
            )
    return found


def _ingredient(told: dict[str, Any]) -> Ingredient:
    digest = _HASH.search(str(told.get("description", "")))
    return Ingredient(
        title=_plain(told.get("title")),
        relationship=_plain(told.get("relationship")),
        format=_plain(told.get("format")),
        sha256=digest[1] if digest else None,
    )


def _plain(told: object) -> str | None:
    """A stranger's words made fit for a terminal: no control characters, no novels."""
    return None if told is None else "".join(c for c in str(told) if c.isprintable())[:_LONGEST]
