"""Every sample photo by name, in the order they are rendered, and which of them the repository holds."""

from collections.abc import Callable

from studio.model import Shot
from studio.shots import (
    amber_bottle,
    camera_lens,
    canvas_tote,
    glass_bottle,
    gold_ring,
    headphones,
    moka_pot,
    porcelain_teapot,
    reading_glasses,
    silver_necklace,
    soap_dispenser,
    stoneware_mug,
    tea_tin,
)

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
