"""What a request to ``/v1.0/removebg`` asks for: the contract's fields, their defaults and aliases.

Called by ``removebg.py``. Reads text fields only; pictures are ``removebg_source.py``'s part.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from opal.cutout_pictures.wanted import SIZES, Channels, Format, Wanted
from opal.images.shadow import ShadowKind
from opal.web_api.removebg_errors import Refused
from opal.web_api.removebg_values import (
    read_boolean,
    read_colour,
    read_corners,
    read_margins,
    read_percent,
    read_position,
)

_Value = TypeVar("_Value")

_NAMES: Final = {name: name for name in SIZES}
TYPES: Final[dict[str, str]] = {
    # Opal looks for whatever stands out; what was not said is taken for what it is made for.
    "auto": "product",
    "person": "person",
    "product": "product",
    "car": "car",
    "animal": "animal",
    "graphic": "graphics",
    "graphics": "graphics",
    "transportation": "transportation",
    "other": "other",
}
"""Value of ``type`` to what ``X-Type`` answers."""
TYPE_LEVELS: Final[dict[str, str]] = {name: name for name in ("none", "1", "2", "latest")}
FORMATS: Final[dict[str, Format]] = {
    "auto": "auto",
    "png": "png",
    "jpg": "jpg",
    "webp": "webp",
    "zip": "zip",
}
CHANNELS: Final[dict[str, Channels]] = {"rgba": "rgba", "alpha": "alpha"}
SHADOWS: Final[dict[str, ShadowKind]] = {
    "none": "none",
    "auto": "contact",
    "car": "contact",
    "drop": "contact",
    "3d": "soft",
}
SMALLEST_SCALE: Final = 0.1
FIELDS: Final = (
    *("size", "type", "type_level", "format", "roi", "crop", "crop_margin", "scale", "position", "channels"),
    *("add_shadow", "shadow_type", "shadow_opacity", "semitransparency", "bg_color"),
)
"""Text fields that decide how the picture looks."""


def read_wanted(fields: Mapping[str, str], *, size: str | None = None) -> Wanted:
    """What the fields ask for; ``size`` overrules theirs.

    Raises ``Refused`` with the code of the first field that is not valid; unknown fields are ignored.
    """
    scale = _field(fields, "scale", _read_scale, None)
    centred = (0.5, 0.5) if scale is not None else None
    roi = _field(fields, "roi", read_corners, None)
    _field(fields, "semitransparency", read_boolean, True)
    level = _field(
        fields, "type_level", lambda text: _one_of(text, {name: name for name in TYPE_LEVELS}), "1"
    )
    kind = _field(fields, "type", lambda text: _one_of(text, TYPES), TYPES["auto"])
    return Wanted(
        size=size or _field(fields, "size", lambda text: _one_of(text, _NAMES), "preview"),
        type_name=None if level == "none" else kind,
        format=_field(fields, "format", lambda text: _one_of(text, FORMATS), "auto"),
        channels=_field(fields, "channels", lambda text: _one_of(text, CHANNELS), "rgba"),
        roi=roi,
        crop=_field(fields, "crop", read_boolean, False),
        margins=_field(fields, "crop_margin", read_margins, read_margins("0")),
        scale=scale,
        position=_field(fields, "position", read_position, centred),
        shadow=_shadow(fields),
        shadow_opacity=_field(fields, "shadow_opacity", _read_opacity, None),
        bg_color=_field(fields, "bg_color", read_colour, None),
    )


def _shadow(fields: Mapping[str, str]) -> ShadowKind:
    asked = _field(fields, "add_shadow", read_boolean, False)
    default: ShadowKind = SHADOWS["auto"] if asked else "none"
    return _field(fields, "shadow_type", lambda text: _one_of(text, SHADOWS), default)


def _field(fields: Mapping[str, str], name: str, read: Callable[[str], _Value], default: _Value) -> _Value:
    text = fields.get(name, "").strip()
    # An empty field of a form is one that was not filled in.
    if not text:
        return default
    try:
        return read(text)
    except ValueError as error:
        raise Refused(f"invalid_{name}", f"{name} {error}") from error


def _one_of(text: str, values: Mapping[str, _Value]) -> _Value:
    if text.lower() not in values:
        raise ValueError(f"must be one of {', '.join(values)}.")
    return values[text.lower()]


def _read_scale(text: str) -> float | None:
    return None if text == "original" else read_percent(text, SMALLEST_SCALE)


def _read_opacity(text: str) -> float:
    bare = text.removesuffix("%")
    if not bare.isascii() or not bare.isdecimal() or int(bare[:4]) > 100:
        raise ValueError("must be a whole number from 0 to 100.")
    return int(bare) / 100.0
