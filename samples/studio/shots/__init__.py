"""Every sample photo by name, in the order they are rendered, and which of them the repository holds."""

import math
from collections.abc import Callable
from dataclasses import replace

from studio.model import Shot
from studio.shots import (
    amber_bottle,
    camera_lens,
    candy_box,
    canvas_tote,
    cream_tube,
    desk_lamp,
    fork_and_spoon,
    glass_bottle,
    gold_ring,
    green_room_sneaker,
    headphones,
    moka_pot,
    plush_bear,
    porcelain_teapot,
    potted_plant,
    reading_glasses,
    silver_necklace,
    soap_dispenser,
    stoneware_mug,
    tea_carton,
    tea_tin,
    wine_glass,
    wire_basket,
    wooden_chair,
    wooden_letters,
    wristwatch,
)

LARGE_PIXELS = 6_200_000
"""Size of the photos ending in `-large`, pixels: a camera's, far finer than a network sees."""


def _large(build: Callable[[], Shot]) -> Callable[[], Shot]:
    """The same photo by a camera of more pixels, with about as many samples in all."""

    def build_large() -> Shot:
        shot = build()
        factor = math.sqrt(LARGE_PIXELS / (shot.size[0] * shot.size[1]))
        return replace(
            shot,
            name=f"{shot.name}-large",
            tests=f"{shot.tests}; at a camera's size",
            size=(round(shot.size[0] * factor), round(shot.size[1] * factor)),
            spp=max(10, round(shot.spp / factor**2)),
        )

    return build_large


SHOTS: dict[str, Callable[[], Shot]] = {
    "stoneware-mug": stoneware_mug.build,
    "glass-bottle": glass_bottle.build,
    "moka-pot": moka_pot.build,
    "canvas-tote": canvas_tote.build,
    "soap-dispenser": soap_dispenser.build,
    "tea-tin": tea_tin.build,
    "gold-ring": gold_ring.build,
    "porcelain-teapot": porcelain_teapot.build,
    "camera-lens": camera_lens.build,
    "amber-bottle": amber_bottle.build,
    "silver-necklace": silver_necklace.build,
    "headphones": headphones.build,
    "reading-glasses": reading_glasses.build,
    "wine-glass": wine_glass.build,
    "plush-bear": plush_bear.build,
    "wristwatch": wristwatch.build,
    "wooden-letters": wooden_letters.build,
    "cream-tube": cream_tube.build,
    "wire-basket": wire_basket.build,
    "desk-lamp": desk_lamp.build,
    "green-room-sneaker": green_room_sneaker.build,
    "candy-box": candy_box.build,
    "wooden-chair": wooden_chair.build,
    "potted-plant": potted_plant.build,
    "fork-and-spoon": fork_and_spoon.build,
    "tea-carton": tea_carton.build,
    "stoneware-mug-large": _large(stoneware_mug.build),
    "moka-pot-large": _large(moka_pot.build),
    "canvas-tote-large": _large(canvas_tote.build),
    "soap-dispenser-large": _large(soap_dispenser.build),
    "tea-tin-large": _large(tea_tin.build),
}

# The rest is rendered into a cache by whoever wants it.
SHIPPED = (
    "stoneware-mug",
    "glass-bottle",
    "moka-pot",
    "canvas-tote",
    "soap-dispenser",
    "tea-tin",
    "gold-ring",
)
