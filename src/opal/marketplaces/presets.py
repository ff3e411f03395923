"""Export presets: one TOML file per channel under `rules/`, loaded and validated once.

Called by web-api (`/v1/presets`), the command line and export-worker. A preset says how a picture
is made; its rules say what the finished file is measured against (`compliance.py`).
"""

import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from math import ceil, floor
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from opal.errors import InvalidPreset, UnknownPreset
from opal.faults import first_fault, in_words
from opal.images.encode import EXTENSION, Chroma, Effort, OutputFormat
from opal.images.geometry import Alignment, Box
from opal.images.shadow import ShadowKind
from opal.marketplaces.dry_run import dry_run
from opal.marketplaces.rule import SIZES, Authority, PresetModel, Rule

_NAME = in_words(r"^[a-z0-9]+(-[a-z0-9]+)*$", "small letters and digits, with single hyphens between them")
_COLOUR = in_words(r"^#[0-9a-f]{6}$", "a colour in small letters such as #f4f1ec")


class SafeArea(PresetModel):
    """Shares of the canvas that the product keeps free, as the channel lays its own buttons over them."""

    top: float = Field(default=0.0, strict=True, ge=0.0, le=0.45)
    right: float = Field(default=0.0, strict=True, ge=0.0, le=0.45)
    bottom: float = Field(default=0.0, strict=True, ge=0.0, le=0.45)
    left: float = Field(default=0.0, strict=True, ge=0.0, le=0.45)


class Preset(PresetModel):
    """One picture to export: canvas, ground, how the product sits, format and rules."""

    name: Annotated[str, Field(pattern=_NAME, max_length=64)]
    title: str
    description: str
    channel: str = ""
    width: int | None = Field(default=None, strict=True, ge=64, le=10_000, description="None: native size.")
    height: int | None = Field(default=None, strict=True, ge=64, le=10_000)
    format: OutputFormat
    quality: int = Field(
        default=95,
        strict=True,
        ge=60,
        le=100,
        description="JPEG, WebP and AVIF; 95 keeps most of the product within CIEDE2000 1 of the photo.",
    )
    lowest_quality: int = Field(
        default=70,
        strict=True,
        ge=40,
        le=100,
        description="A byte budget lowers `quality` no further than this.",
    )
    max_bytes: int | None = Field(default=None, strict=True, gt=0)
    min_bytes: int | None = Field(default=None, strict=True, gt=0)
    chroma: Chroma | None = Field(
        default=None,
        description="Of JPEG and AVIF. None keeps all colour (4:4:4) where halving it would be seen, unless "
        "`max_bytes` asks for less.",
    )
    progressive: bool = Field(
        default=False, strict=True, description="JPEG that appears coarse to fine; smaller."
    )
    effort: Effort = Field(
        default="quick",
        description="JPEG: `small` takes ten times as long for two thirds of the bytes; `max_bytes` asks for "
        "it by itself.",
    )
    dpi: int = Field(default=72, strict=True, ge=72, le=600)
    ground: Literal["scene", "white", "transparent", "colour"] = Field(
        description="`scene` keeps the chosen scene, the others replace it."
    )
    colour: str | None = Field(
        default=None, pattern=_COLOUR, description="The ground's, where `ground` is `colour`."
    )
    shadow: ShadowKind | None = Field(default=None, description="None keeps the placement's.")
    fill: float | None = Field(default=None, strict=True, gt=0.0, le=1.0)
    margin: float | None = Field(default=None, strict=True, ge=0.0, le=0.45)
    alignment: Alignment | None = Field(default=None, description="None keeps the placement's.")
    safe_area: SafeArea | None = None
    upscale_limit: float = Field(default=1.0, strict=True, ge=1.0, le=4.0)
    rules: tuple[Rule, ...] = ()

    @property
    def extension(self) -> str:
        """File name extension without a dot."""
        return EXTENSION[self.format]

    def clear_box(self, width: int, height: int) -> Box:
        """The part of a canvas of this size that the safe area leaves to the product."""
        area = self.safe_area or SafeArea()
        left, top = ceil(area.left * width), ceil(area.top * height)
        right, bottom = floor((1.0 - area.right) * width), floor((1.0 - area.bottom) * height)
        return Box(left, top, right - left, bottom - top)

    @property
    def native(self) -> bool:
        """Whether the canvas is the product's own size instead of a fixed one."""
        return self.width is None

    @property
    def may_lose_pixels(self) -> bool:
        """Whether a byte budget may make the picture smaller: where a rule says how small is small enough."""
        return any(_is_least_size(rule.rule, rule.minimum, rule.level) for rule in self.rules)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("give both `width` and `height`, or neither")
        if self.fill is not None and self.margin is not None:
            raise ValueError("give `fill` or `margin`, not both")
        if self.ground == "transparent" and self.format == "jpeg":
            raise ValueError("JPEG has no transparency")
        if (self.ground == "colour") != (self.colour is not None):
            raise ValueError("give `colour` where `ground` is `colour`, and only there")
        if self.lowest_quality > self.quality:
            raise ValueError("`lowest_quality` is above `quality`")
        if self.min_bytes is not None and self.max_bytes is not None and self.min_bytes > self.max_bytes:
            raise ValueError("`min_bytes` is above `max_bytes`")
        if self.native and (self.ground != "transparent" or self.fill is not None):
            raise ValueError("a native-size preset is transparent and takes a `margin`")
        return self


class _Channel(PresetModel):
    """One file under `rules/`."""

    channel: str
    source: str | None = None
    checked: date | None = None
    authority: Authority = "own"
    presets: tuple[Preset, ...] = Field(min_length=1)


def _is_least_size(rule: str | None, minimum: float | None, level: str) -> bool:
    return rule in SIZES and minimum is not None and level == "required"


_in_use: dict[str, Preset] = {}
"""Shipped presets and those of the user's folder, once `use_presets_of` has read it."""


def load_presets() -> dict[str, Preset]:
    """All presets by name, in file order: those shipped with Opal, then those of the user's own folder.

    Raises InvalidPreset when a file is wrong; the message names file, key and reason.
    """
    return _in_use or _shipped()


def use_presets_of(folder: Path | None) -> None:
    """Take the user's presets in this folder beside the shipped ones, from now on in this process.

    Called once at start, before any preset is asked for. None: shipped presets alone. Raises InvalidPreset
    where the folder cannot be read, a file is wrong, or a preset has the name of a shipped one.
    """
    shipped = _shipped()
    own: dict[str, Preset] = {}
    if folder is not None:
        try:
            own = read_presets(folder)
        except OSError as error:
            raise InvalidPreset(
                f"{folder}: the folder of presets cannot be read: {error.strerror}."
            ) from error
    for name in own:
        if name in shipped:
            raise InvalidPreset(f"{folder}: presets: {name!r} is the name of a preset of Opal's own.")
    _in_use.clear()
    _in_use.update(shipped | own)


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Preset]:
    return read_presets(resources.files("opal.marketplaces") / "rules")


def read_presets(folder: Traversable | Path) -> dict[str, Preset]:
    """Presets of every `*.toml` in a folder; each tried on products of three shapes."""
    presets: dict[str, Preset] = {}
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    for file in files:
        for preset in _read_channel(file).presets:
            if preset.name in presets:
                raise InvalidPreset(f"{file.name}: presets: {preset.name!r} is defined twice.")
            _try(preset, file.name)
            presets[preset.name] = preset
    return presets


def read_own_preset(toml: str, name: str) -> Preset:
    """The one preset in a tenant's TOML, in the form of the shipped files, tried like any other.

    Raises InvalidPreset naming key and reason, also for a name that Opal or the operator uses.
    """
    if name in load_presets():
        raise InvalidPreset(f"{name!r} is the name of a preset that everyone has; choose another.")
    presets = _parse_channel(toml, name).presets
    if [preset.name for preset in presets] != [name]:
        told = ", ".join(repr(preset.name) for preset in presets)
        raise InvalidPreset(f"{name}: presets: one named {name!r} is wanted, there is {told}.")
    if "\\u0000" in presets[0].model_dump_json():
        raise InvalidPreset(f"{name}: a text holds the character U+0000, which no database keeps.")
    _try(presets[0], name)
    return presets[0]


def usable_presets(documents: Iterable[Mapping[str, Any]]) -> list[Preset]:
    """A tenant's presets from JSON of `read_own_preset`'s, which an older Opal may have read.

    One that is not valid any more, or whose name everyone's presets have taken since, is left out.
    """
    usable = []
    for document in documents:
        with suppress(ValidationError):
            usable.append(Preset.model_validate(document))
    return [preset for preset in usable if preset.name not in load_presets()]


def _try(preset: Preset, place: str) -> None:
    fault = dry_run(preset)
    if fault is not None:
        raise InvalidPreset(f"{place}: {preset.name}: {fault}.")


def resolve_presets(names: list[str] | tuple[str, ...], own: Iterable[Preset] = ()) -> list[Preset]:
    """Presets by name, in the order asked, repeats dropped; `own` are a tenant's beside those of everyone.

    Raises UnknownPreset naming the first bad name and the known ones.
    """
    known = {preset.name: preset for preset in own} | load_presets()
    for name in names:
        if name not in known:
            raise UnknownPreset(f"Preset {name!r} is not known. Known: {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys(names)]


def _read_channel(file: Traversable | Path) -> _Channel:
    try:
        return _parse_channel(file.read_text("utf-8"), file.name)
    except UnicodeDecodeError as error:
        raise InvalidPreset(f"{file.name}: not valid TOML: {error}.") from error


def _parse_channel(toml: str, place: str) -> _Channel:
    try:
        return _Channel.model_validate(_inherit(tomllib.loads(toml)))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidPreset(f"{place}: not valid TOML: {error}.") from error
    except ValidationError as error:
        raise InvalidPreset(f"{place}: {first_fault(error, '(file)')}.") from error


def _inherit(document: dict[str, Any]) -> dict[str, Any]:
    """Give presets their channel, and rules the file's source unless they state their own.

    A rule marked `authority = "own"` inherits nothing: it is Opal's standard, not the channel's. What a
    preset promises by itself (its size, a product that is whole) becomes rules of our own where it has none.
    """
    document = dict(document)
    inherited = ("source", "checked", "authority")
    defaults: dict[str, Any] = {key: document[key] for key in inherited if key in document}
    presets = document.get("presets")
    if not isinstance(presets, list) or not all(map(_has_tables, presets)):
        return document  # what is wrong with it is told when it is validated
    document["presets"] = [
        {
            "channel": document.get("channel", ""),
            **preset,
            "rules": [*_sourced(preset.get("rules", []), defaults), *_promised(preset)],
        }
        for preset in presets
    ]
    return document


def _has_tables(preset: object) -> bool:
    """Whether a preset is a table, and each of its rules."""
    if not isinstance(preset, dict):
        return False
    rules = preset.get("rules", [])
    return isinstance(rules, list) and all(isinstance(rule, dict) for rule in rules)


def _sourced(rules: list[dict[str, Any]], defaults: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule if rule.get("authority") == "own" else {**defaults, **rule} for rule in rules]


def _promised(preset: dict[str, Any]) -> list[dict[str, Any]]:
    """Rules that follow from a preset's own keys, but for those it states."""
    rules = preset.get("rules", [])
    told = {rule.get("rule") for rule in rules}
    # With a byte budget, a least size is the channel's and the canvas the most that the picture has.
    limit = (
        "equals" if preset.get("max_bytes") is None or not any(map(_states_least_size, rules)) else "maximum"
    )
    promises: list[dict[str, Any]] = [
        {"rule": "width", limit: preset.get("width"), "unit": "px"},
        {"rule": "height", limit: preset.get("height"), "unit": "px"},
        {"rule": "format", "equals": preset.get("format")},
        {"rule": "extension", "equals": True},
        {"rule": "colour_space", "equals": "srgb"},
        {"rule": "has_alpha", "equals": preset.get("ground") == "transparent"},
        {"rule": "bytes", "maximum": preset.get("max_bytes"), "unit": "bytes"},
        {"rule": "clearance", "minimum": 1, "unit": "px"},
        {"rule": "safe_area", "equals": True if "safe_area" in preset else None},
        {"rule": "fill_share", "minimum": _least_fill(preset), "level": "advised"},
        {"rule": "upscaling", "maximum": preset.get("upscale_limit", 1.0), "unit": "x"},
        {"rule": "ai_marking", "equals": True},
    ]
    limits = ("minimum", "maximum", "equals")
    said = [rule for rule in promises if any(rule.get(limit) is not None for limit in limits)]
    return [rule for rule in said if rule["rule"] not in told]


def promised_rules(preset: Preset) -> list[Rule]:
    """The rules that follow from the preset's own keys, though it states none."""
    keys = preset.model_dump(exclude_defaults=True)
    # Whether the canvas is exact or the most depends on these rules.
    keys["rules"] = [rule for rule in keys.get("rules", ()) if _states_least_size(rule)]
    return [Rule.model_validate(rule) for rule in _promised(keys)]


def _least_fill(preset: dict[str, Any]) -> float | None:
    """The size that `fill` promises, a hair below it for whole pixels; a photo with too few falls short."""
    fill = preset.get("fill")
    return None if isinstance(fill, bool) or not isinstance(fill, int | float) else round(fill - 0.01, 4)


def _states_least_size(rule: dict[str, Any]) -> bool:
    return _is_least_size(rule.get("rule"), rule.get("minimum"), rule.get("level", "required"))
