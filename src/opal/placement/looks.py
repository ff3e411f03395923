"""The looks of the studio scene, one row each: paper colour, set, light and camera.

Called by `placement/scene.py` (names) and `placement/sweep.py` (numbers). A new look is a new row.
Lengths are in units of about one product height; the product stands at (0, 0, 0), x runs right,
y up, z away from the camera.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """One studio set."""

    description: str
    paper: str
    """sRGB colour of the paper where the key light falls on it at the product."""
    exposure: float
    """Linear factor on the whole set; 1.0 shows the paper in its own colour at the product."""
    floor_depth: float
    """Flat floor behind the product before the paper starts to bend."""
    bend_radius: float
    """Radius of the bend from floor to wall; larger is a softer horizon."""
    elevation: float
    """Camera's angle above the floor in degrees."""
    distance: float
    """Camera to product; smaller gives more perspective."""
    view: float
    """Length that the shorter canvas side shows at the product."""
    key: tuple[float, float, float]
    """Centre of the softbox."""
    key_size: float
    """Side of the softbox; larger is softer."""
    fill_light: float
    """Even light from the room, as a share of the key at the product."""
    wall_glow: float
    """Strength of the spot on the wall behind the product, as a share of the key."""
    key_tint: tuple[float, float, float]
    """Linear colour of the key light; the room's light stays neutral."""
    vignette: float
    """Loss of light in the far corners, 0..1."""
    grain: float
    """Standard deviation of the grain, as a share of the light."""


LOOKS: dict[str, Look] = {
    "white": Look(
        description="A bright white sweep: soft horizon, light falling off towards the corners.",
        paper="#f7f7f6",
        exposure=1.04,
        floor_depth=1.1,
        bend_radius=1.4,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(-0.6, 4.2, -1.2),
        key_size=3.4,
        fill_light=1.5,
        wall_glow=0.45,
        key_tint=(1.0, 1.0, 1.0),
        vignette=0.06,
        grain=0.004,
    ),
    "grey": Look(
        description="A mid-grey sweep with a lit floor and a wall that falls into shade.",
        paper="#b4b5b6",
        exposure=1.0,
        floor_depth=1.0,
        bend_radius=1.3,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(-1.1, 3.1, -0.8),
        key_size=1.8,
        fill_light=0.25,
        wall_glow=0.12,
        key_tint=(1.0, 0.995, 0.985),
        vignette=0.22,
        grain=0.006,
    ),
    "warm": Look(
        description="A warm sand-coloured sweep in soft afternoon light.",
        paper="#e9dccb",
        exposure=1.0,
        floor_depth=1.0,
        bend_radius=1.4,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(-1.5, 3.2, -0.9),
        key_size=2.4,
        fill_light=0.60,
        wall_glow=0.12,
        key_tint=(1.0, 0.975, 0.93),
        vignette=0.16,
        grain=0.005,
    ),
}
