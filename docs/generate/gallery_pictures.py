"""The pictures of docs/gallery: products on grounds, one sheet per scene, a backdrop. Called by `gallery.py`.

Every tile is composed by Opal at the size it is shown, and only then put beside the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import numpy as np
import pyvips

from opal.cli import sheet_drawing as draw
from opal.cutout.interface import Cutout
from opal.images.encode import encode
from opal.images.photo import Photo
from opal.images.shadow import ShadowKind
from opal.placement.place import compose
from opal.placement.placement import Placement
from opal.placement.product import Product
from opal.placement.scene import BackdropScene, Scene, SolidScene

GROUNDS: Final = {"on white": "#ffffff", "on black": "#000000", "on magenta": "#ff00ff"}
SHADOWS: Final[tuple[ShadowKind, ...]] = get_args(ShadowKind)
_SEED: Final = 1
_STRIP_TILE: Final = 200
_SCENE_TILE: Final = 250
_BACKDROP_TILE: Final = (208, 156)
_PAPER: Final = (246, 245, 242)
_INK: Final = (70, 69, 66)
_GAP: Final = 8
_CAPTION: Final = 26
_LETTERS: Final = 16
_REFLECTION: Final = 0.3
_MARGIN: Final = 0.06
_CLEARANCE: Final = 40
"""Pixels around a product that is shown at its own size."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, cut out."""

    name: str
    photo: Photo
    cutout: Cutout

    @property
    def product(self) -> Product:
        """As it is placed."""
        return Product.of(self.photo, self.cutout.matte)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a sheet, and the word below it."""

    caption: str
    pixels: draw.Pixels


def sheet(tiles: Sequence[Tile], columns: int, quality: int) -> bytes:
    """The tiles in rows, all in boxes as large as the largest, as a JPEG."""
    wide = max(tile.pixels.shape[1] for tile in tiles)
    high = max(tile.pixels.shape[0] for tile in tiles)
    rows = -(-len(tiles) // columns)
    width = columns * (wide + _GAP) - _GAP
    pixels = draw.blank(width, rows * (high + _CAPTION), _PAPER)
    for number, tile in enumerate(tiles):
        left, top = number % columns * (wide + _GAP), number // columns * (high + _CAPTION)
        height, across = tile.pixels.shape[:2]
        inset = (wide - across) // 2
        pixels[top + high - height : top + high, left + inset : left + inset + across] = tile.pixels
        draw.text(pixels, tile.caption, left, top + high + 19, size=_LETTERS, colour=_INK, width=wide)
    return encode(pixels, "jpeg", quality)


def strip(sample: Sample, edge: tuple[float, float], enlarge: int = 1) -> list[Tile]:
    """The photo, the cut-out on three grounds, and a part of it at 100 % on magenta.

    `edge` is the middle of that part, across and down, as shares of the product's box. `enlarge` makes all
    tiles as many times as large.
    """
    side = enlarge * _STRIP_TILE
    photo = sample.photo.pixels.thumbnail_image(side, height=side, size="down").colourspace("srgb")
    tiles = [Tile("photo", np.ascontiguousarray(photo.numpy()))]
    tiles += [
        Tile(words, _placed(sample, SolidScene(colour=colour), _bare(_MARGIN), side, side))
        for words, colour in GROUNDS.items()
    ]
    box = sample.product.box
    width, height = box.width + 2 * _CLEARANCE, box.height + 2 * _CLEARANCE
    whole = _placed(sample, SolidScene(colour=GROUNDS["on magenta"]), _bare(0.0), width, height)
    left = _start(_CLEARANCE + edge[0] * box.width, side, width)
    top = _start(_CLEARANCE + edge[1] * box.height, side, height)
    return [*tiles, Tile("at 100 %", whole[top : top + side, left : left + side])]


def scene_tiles(sample: Sample, scene: Scene, enlarge: int = 1) -> list[Tile]:
    """One product in one scene with every kind of shadow, and with a reflection."""
    side = enlarge * _SCENE_TILE
    tiles = [Tile(kind, _placed(sample, scene, Placement(shadow=kind), side, side)) for kind in SHADOWS]
    mirrored = Placement(shadow="contact", reflection=_REFLECTION)
    return [*tiles, Tile(f"reflection {_REFLECTION}", _placed(sample, scene, mirrored, side, side))]


def backdrop_tiles(sample: Sample, scene: BackdropScene, picture: Photo, enlarge: int = 1) -> list[Tile]:
    """Every shadow on a backdrop: as photographed, blurred, and blurred with the light matched."""
    width, height = (enlarge * side for side in _BACKDROP_TILE)
    rows: tuple[tuple[str, dict[str, float]], ...] = (
        ("", {}),
        ("blur 0.5", {"blur": 0.5}),
        ("blur 0.5, match 1", {"blur": 0.5, "match": 1.0}),
    )
    return [
        Tile(
            ", ".join(filter(None, (kind, words))),
            _placed(
                sample,
                scene.model_copy(update=change),
                Placement(shadow=kind),
                width,
                height,
                picture,
            ),
        )
        for words, change in rows
        for kind in SHADOWS
    ]


def write(path: Path, tiles: Sequence[Tile], columns: int, quality: int) -> None:
    """Store a sheet."""
    path.write_bytes(sheet(tiles, columns, quality))


def _bare(margin: float) -> Placement:
    return Placement(margin=margin, shadow="none")


def _start(middle: float, length: int, whole: int) -> int:
    """Where a part of `length` around `middle` begins, inside the whole."""
    return int(max(0, min(middle - length / 2, whole - length)))


def _placed(  # noqa: PLR0917 - compose's own arguments
    sample: Sample,
    scene: Scene,
    placement: Placement,
    width: int,
    height: int,
    backdrop: Photo | None = None,
) -> draw.Pixels:
    """Opal's picture of the product; on transparency as a page shows it, on the usual checkerboard."""
    made = compose(sample.product, scene, placement, width, height, seed=_SEED, backdrop=backdrop)
    if made.pixels.shape[2] == 3:
        return made.pixels
    ground = pyvips.Image.new_from_array(draw.checkerboard(width, height), interpretation="srgb")
    laid = ground.composite(pyvips.Image.new_from_array(made.pixels, interpretation="srgb"), "over")
    return np.ascontiguousarray(laid.numpy()[..., :3])
