"""Every sample photo by name, in the order they are rendered."""

from collections.abc import Callable

from studio.model import Shot
from studio.shots import (
    canvas_tote,
    glass_bottle,
    gold_ring,
    moka_pot,
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
}
