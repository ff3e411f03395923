"""What a product does to the ground of a scene: which shadow it throws, by which light, and its reflection.

Called by `placement/place.py`. The pixels are made by `images/shadow.py`, `cast.py` and `reflection.py`.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opal.images.cast import Light, floating_shadow, hard_shadow, soft_shadow
from opal.images.composite import Layer
from opal.images.contact import estimate_contact
from opal.images.defocus import defocus
from opal.images.reflection import lay_reflection, reflect
from opal.images.shadow import ShadowKind, Transmittance, contact_shadow
from opal.placement.interface import Ground
from opal.placement.looks import LOOKS
from opal.placement.placement import Placement
from opal.placement.scene import BackdropScene, Scene, StudioScene

PLAIN_LIGHT = Light(direction=58.0, length=0.45)
"""On a plain ground: from the front left, as most product photographs are lit."""
_ROOM_USED = 0.45
"""Share of the room below a floating product that its lift may take; the rest is for its shadow."""


def shadow_kind(placement: Placement, scene: Scene) -> ShadowKind:
    """The shadow asked for, or the scene's own choice."""
    if placement.shadow is not None:
        return placement.shadow
    return "none" if scene.kind == "transparent" else "contact"


def light_of(placement: Placement, scene: Scene) -> Light:
    """Where a cast shadow falls: as the placement says, else away from the scene's own light."""
    light = PLAIN_LIGHT
    if isinstance(scene, StudioScene):
        x, y, z = LOOKS[scene.look].key
        light = Light(math.degrees(math.atan2(-x, -z)) % 360.0, math.hypot(x, z) / y)
    elif isinstance(scene, BackdropScene):
        light = _light_of_backdrop(scene)
    direction, length = placement.shadow_direction, placement.shadow_length
    return Light(
        light.direction if direction is None else direction, light.length if length is None else length
    )


def _light_of_backdrop(scene: BackdropScene) -> Light:
    """The light that the user saw in the picture; what was not told is as on a plain ground."""
    direction, length = PLAIN_LIGHT.direction, PLAIN_LIGHT.length
    if scene.light_from is not None:
        direction = (scene.light_from + 180.0) % 360.0
    if scene.light_height is not None:
        length = 1.0 / math.tan(math.radians(scene.light_height))
    return Light(direction, length)


def lift_rows(placement: Placement, scene: Scene, product_height: int, room: float) -> float:
    """Rows between a product's foot and the floor: 0 unless it floats. `room` is what lies below its foot."""
    if shadow_kind(placement, scene) != "floating":
        return 0.0
    return max(0.0, min(placement.lift * product_height, _ROOM_USED * room))


def cast(
    alpha: NDArray[np.float32],
    placement: Placement,
    scene: Scene,
    lift: float,
    blur: NDArray[np.float32] | None = None,
) -> Transmittance | None:
    """Light left on the ground around coverage `alpha` (H, W); None when there is no shadow.

    A product that stands is dark where it touches, whatever else it casts; one that floats is not. `blur`
    is the (H,) radius in pixels by which the ground is out of focus.
    """
    kind = shadow_kind(placement, scene)
    contact = None if kind == "none" else estimate_contact(alpha)
    if contact is None:
        return None
    height, width = alpha.shape
    intensity, softness = placement.shadow_intensity, placement.shadow_softness
    if kind == "floating":
        hovering = floating_shadow(alpha, contact, lift, intensity=intensity, softness=softness)
        return _out_of_focus(hovering, blur)
    touching = contact_shadow(contact, width, height, intensity=intensity, softness=softness)
    if kind == "contact":
        return touching
    thrown = soft_shadow if kind == "soft" else hard_shadow
    light = light_of(placement, scene)
    away = thrown(alpha, contact, light, intensity=intensity, softness=softness)
    # What touches is as sharp as the product; what falls far behind it lies on a blurred floor.
    return touching * _out_of_focus(away, blur)


def _out_of_focus(shade: Transmittance, blur: NDArray[np.float32] | None) -> Transmittance:
    """The shadow as a floor that is out of focus shows it; only the rows around it are worked on."""
    rows, columns = np.nonzero(shade < 1.0)
    if blur is None or rows.size == 0:
        return shade
    reach = math.ceil(float(blur.max())) + 2
    down = slice(max(0, int(rows.min()) - reach), int(rows.max()) + reach + 1)
    across = slice(max(0, int(columns.min()) - reach), int(columns.max()) + reach + 1)
    blurred = shade.copy()
    blurred[down, across] = defocus(shade[down, across, None], blur[down])[..., 0]
    return blurred


def with_reflection(
    ground: Ground, layer: Layer, coverage: NDArray[np.float32], placement: Placement
) -> Ground:
    """The ground with the product's mirror image in it; the same ground where none was asked for."""
    if ground.pixels is None or placement.reflection <= 0.0 or placement.shadow == "floating":
        return ground
    contact = estimate_contact(coverage)
    mirrored = contact and reflect(layer, contact, coverage.shape[0], placement.reflection)
    if not mirrored:
        return ground
    return replace(ground, pixels=lay_reflection(ground.pixels, mirrored, ground.catches))
