"""The looks of the studio scene, one row each: paper colour, set, light and camera.

Called by `placement/scene.py` (names) and `placement/sweep.py` (numbers). A new look is a new row.
Lengths are in units of about one product height; the product stands at (0, 0, 0), x runs right,
y up, z away from the camera.
"""

from dataclasses import dataclass

from opal.placement.surface import SurfaceName


@dataclass(frozen=True, slots=True)
class Podium:
    """A round stand; its size follows the product's."""

    colour: str
    """sRGB colour of its top in the key light."""
    overhang: float
    """Radius as a share of the product's width."""
    drop: float
    """Height of the stand above the set's floor."""


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
    wall: str | None = None
    """sRGB colour of the wall where it is not the floor's paper."""
    surface: SurfaceName | None = None
    """What the floor is made of, and the wall too unless it has its own colour; None is smooth paper."""
    aperture: float = 0.12
    """Radius of the lens blur far behind the product; it only shows on surfaces."""
    corner: float = 0.0
    """Share of the light that the corner of floor and wall swallows, 0..1."""
    spot: tuple[float, float] = (1.1, 1.9)
    """Height of the spot's centre on the wall, and its half width."""
    podium: Podium | None = None
    """A round stand under the product."""


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
    "concrete": Look(
        description="A trowelled concrete floor against a concrete wall, in cool window light.",
        paper="#b9b7b3",
        exposure=1.0,
        floor_depth=1.5,
        bend_radius=0.02,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(-1.9, 3.0, -0.9),
        key_size=1.9,
        fill_light=0.40,
        wall_glow=0.10,
        key_tint=(0.99, 1.0, 1.01),
        vignette=0.18,
        grain=0.004,
        surface="concrete",
        corner=0.30,
    ),
    "oak": Look(
        description="Oiled oak planks before a warm plaster wall.",
        paper="#c49a6c",
        exposure=1.0,
        floor_depth=1.35,
        bend_radius=0.02,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(-1.9, 3.0, -0.7),
        key_size=2.0,
        fill_light=0.45,
        wall_glow=0.12,
        key_tint=(1.0, 0.985, 0.955),
        vignette=0.14,
        grain=0.004,
        wall="#e6ddd0",
        surface="oak",
        corner=0.28,
    ),
    "marble": Look(
        description="Honed white marble before a pale grey wall, bright and even.",
        paper="#efedea",
        exposure=1.0,
        floor_depth=1.35,
        bend_radius=0.02,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(-1.0, 3.8, -1.0),
        key_size=2.8,
        fill_light=0.9,
        wall_glow=0.15,
        key_tint=(1.0, 1.0, 1.0),
        vignette=0.10,
        grain=0.003,
        wall="#dfe0e0",
        surface="marble",
        corner=0.22,
    ),
    "sage": Look(
        description="A sweep of sage-green paper in soft daylight.",
        paper="#b3bfa6",
        exposure=1.0,
        floor_depth=1.0,
        bend_radius=1.4,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(-1.2, 3.4, -0.9),
        key_size=2.4,
        fill_light=0.60,
        wall_glow=0.16,
        key_tint=(1.0, 0.995, 0.98),
        vignette=0.14,
        grain=0.005,
    ),
    "coral": Look(
        description="A sweep of coral paper, clear and saturated, for products that may shout a little.",
        paper="#f0907a",
        exposure=1.0,
        floor_depth=1.0,
        bend_radius=1.4,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(-1.2, 3.4, -0.9),
        key_size=2.2,
        fill_light=0.60,
        wall_glow=0.20,
        key_tint=(1.0, 0.995, 0.98),
        vignette=0.12,
        grain=0.005,
    ),
    "podium": Look(
        description="A round plaster stand before a sweep of the same blush tone.",
        paper="#ead3c6",
        exposure=1.03,
        floor_depth=1.4,
        bend_radius=1.4,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(-1.7, 2.9, -1.9),
        key_size=2.0,
        fill_light=0.95,
        wall_glow=0.55,
        key_tint=(1.0, 0.99, 0.97),
        vignette=0.12,
        grain=0.005,
        podium=Podium(colour="#efdbd0", overhang=0.78, drop=0.55),
    ),
    "dark": Look(
        description="Charcoal with a rim of light behind the product, for bright products and metal.",
        paper="#35373b",
        exposure=1.15,
        floor_depth=1.2,
        bend_radius=1.3,
        elevation=14.0,
        distance=7.0,
        view=2.0,
        key=(0.4, 3.4, 0.6),
        key_size=1.3,
        fill_light=0.15,
        wall_glow=1.9,
        key_tint=(0.97, 0.99, 1.03),
        vignette=0.30,
        grain=0.010,
        spot=(0.75, 1.0),
    ),
}
