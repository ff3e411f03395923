"""Where a delivered picture goes: a tenant's template made into a path of plain names. Pure.

Called by ``database/delivery_plan.py`` for every picture, and by web-api when a template is given.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from opal.errors import InvalidDeliveryTarget

PLACEHOLDERS: Final = ("job", "item", "sku", "photo", "preset", "name", "ext")
LONGEST_TEMPLATE = 200
LONGEST_PATH = 500
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LITERAL = re.compile(r"[A-Za-z0-9_.()+@/-]*")
# The longest name that file systems take has 255 bytes; what a temporary name or a number adds has room.
_LONGEST_SEGMENT = 200
_SAMPLE: Final = {
    "job": "job_9f1c2d3e4a5b6c7d8e9f0a1b",
    "item": "item_3b0c5c0e9a1f4d5e6a7b8c9d",
    "sku": "MUG-01",
    "photo": "mug",
    "preset": "amazon-main",
    "name": "MUG-01-amazon-main",
    "ext": "jpg",
}


@dataclass(frozen=True, slots=True)
class PictureName:
    """What a template can say of a picture; ``sku`` and ``photo`` are safe and unique in the job."""

    job: str
    item: str
    sku: str
    photo: str
    preset: str
    ext: str

    def values(self) -> dict[str, str]:
        """Each placeholder's value."""
        return {
            "job": self.job,
            "item": self.item,
            "sku": self.sku,
            "photo": self.photo,
            "preset": self.preset,
            "name": f"{self.sku}-{self.preset}",
            "ext": self.ext,
        }


def check_template(template: str) -> None:
    """Raises ``InvalidDeliveryTarget`` for one that could lead outside, or two pictures to one place."""
    if not 0 < len(template) <= LONGEST_TEMPLATE:
        raise InvalidDeliveryTarget(f"A template has 1 to {LONGEST_TEMPLATE} characters.")
    used = set(_PLACEHOLDER.findall(template))
    if unknown := sorted(used - set(PLACEHOLDERS)):
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise InvalidDeliveryTarget(f"The template knows {known}, not {{{unknown[0][:40]}}}.")
    if not _LITERAL.fullmatch(_PLACEHOLDER.sub("", template)):
        raise InvalidDeliveryTarget(
            "Between placeholders a template has ASCII letters, digits and _.()+@/- only."
        )
    if not template.endswith(".{ext}"):
        raise InvalidDeliveryTarget("The template must end with .{ext}.")
    if not used & {"preset", "name"}:
        raise InvalidDeliveryTarget("The template needs {preset} or {name}, or presets would share a place.")
    if not used & {"item", "sku", "photo", "name"}:
        raise InvalidDeliveryTarget("The template needs {sku}, {photo}, {item} or {name} for the product.")
    for segment in _PLACEHOLDER.sub(lambda match: _SAMPLE[match[1]], template).split("/"):
        # A leading dot hides a file, and is kept for our own temporary ones.
        if not segment or segment.startswith(".") or segment.endswith("."):
            raise InvalidDeliveryTarget("Every part of the template between slashes must be a plain name.")


def render(template: str, name: PictureName, mark: str = "") -> str:
    """The picture's path; ``mark``, before the ending, tells it from another product's of that path.

    The values are safe already (``file_names.py``); whatever they are, each part stays one plain name.
    """
    values = {key: value.replace("/", "_") for key, value in name.values().items()}
    path = _PLACEHOLDER.sub(lambda match: values[match[1]], template)
    stem, _, ending = path.rpartition(".")
    *folders, last = [_plain(segment) for segment in stem.split("/")]
    return "/".join([*folders, f"{last}{mark}.{ending}"])


def report_path(picture_path: str) -> str:
    """Where the report on a picture goes: beside it, ending in ``.json``. No preset has that ending."""
    return str(PurePosixPath(picture_path).with_suffix(".json"))


def _plain(segment: str) -> str:
    cut = segment.encode()[:_LONGEST_SEGMENT].decode(errors="ignore").strip(".")
    return cut or "_"
