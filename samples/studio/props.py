"""Things that several photos share: table tops, walls, books, cups and other everyday background."""

from collections.abc import Sequence

import numpy as np

from studio import materials as m
from studio import patterns
from studio.colour import linear
from studio.meshes import box, fillet, grid, lathe, move, sheet, turn
from studio.model import Array, Material, Mesh, Part
from studio.noise import field


def wooden_table(
    width: float,
    depth: float,
    seed: int,
    dark: str,
    light: str,
    *,
    gloss: float = 0.38,
    front: float = 0.0,
    planks: int = 4,
) -> list[Part]:
    """A planked table top at y = 0, `width` x `depth` cm, grain along x, shifted `front` cm to the viewer."""
    colour, height = patterns.wood((2048, 2048), seed, dark, light, planks=planks)
    worn = gloss + 0.05 * field((512, 512), seed + 5, slope=1.5)
    top = m.surface(colour, np.clip(worn, 0.1, 0.9), specular=0.45, bump=height, depth=0.014)
    return [Part("table", move(box(width, 3.0, depth, 0.35), (0, -3.0, front)), top)]


def wall(width: float, height: float, back: float, colour: str, seed: int, *, base: float = -75.0) -> Part:
    """A painted wall standing at z = `back`."""
    tone, bump = patterns.plaster((1024, 1024), seed, colour)
    mesh = move(turn(sheet(width, height), "x", 90), (0, base + height / 2, back))
    return Part("wall", mesh, m.surface(tone, 0.75, specular=0.25, bump=bump, depth=0.006))


def sweep_ground(
    width: float, depth: float, rise: float, curve: float, colour: str, *, seed: int = 3
) -> Part:
    """A photographer's paper: flat at y = 0, then curving up behind z = -depth / 2."""
    back = -depth / 2
    profile = fillet([(depth / 2, 0.0, 0), (back, 0.0, curve), (back, rise, 0)], steps=40)
    profile = np.concatenate([np.linspace(profile[0], profile[1], 20)[:-1], profile[1:]])
    x = np.linspace(-width / 2, width / 2, 40)
    z, y = np.meshgrid(profile[:, 0], x, indexing="ij")[0], np.meshgrid(profile[:, 1], x, indexing="ij")[0]
    points = np.stack([np.broadcast_to(x, z.shape), y, z], axis=-1)
    tone = linear(colour) * (1 + 0.006 * field((512, 512), seed, slope=1.8))[..., None]
    return Part("paper", grid(points), m.surface(tone, 0.7, specular=0.2))


def book(
    size: tuple[float, float, float], at: tuple[float, float, float], degrees: float, cover: str
) -> list[Part]:
    """A closed book lying flat: (width, thickness, depth) cm, its corner-rounded cover over a paper block."""
    width, thick, depth = size
    pages = box(width - 0.7, thick - 0.5, depth - 0.7, 0.05)
    paper = linear("#efe6d2") * (1 + 0.12 * field((256, 16), 4, slope=0.1))[..., None]
    boards: list[Mesh] = [
        box(width, 0.25, depth, 0.1),
        move(box(width, 0.25, depth, 0.1), (0, thick - 0.25, 0)),
        move(box(0.3, thick, depth, 0.12), (-width / 2 + 0.15, 0, 0)),
    ]
    cloth = m.surface(linear(cover) * (1 + 0.05 * field((256, 256), 8, slope=0.6))[..., None], 0.6, sheen=0.3)
    things = [(move(pages, (0.2, 0.25, 0)), m.matte(paper)), *((board_, cloth) for board_ in boards)]
    return [Part("book", move(turn(mesh, "y", degrees), at), material) for mesh, material in things]


def bowl(
    radius: float, height: float, at: tuple[float, float, float], colour: Array, roughness: float = 0.15
) -> Part:
    """A plain turned bowl or cup without handle."""
    foot = radius * 0.5
    profile = fillet(
        [
            (0, 0, 0),
            (foot, 0, 0.3),
            (radius * 0.96, height * 0.55, 3),
            (radius, height, 0),
            (radius - 0.15, height + 0.18, 0.2),
            (radius - 0.4, height, 0),
            (radius * 0.88, height * 0.5, 3),
            (foot * 0.8, 0.7, 1.0),
            (0, 0.6, 0),
        ]
    )
    return Part("bowl", move(lathe(profile), at), m.glaze(colour, roughness))


def cloth_square(side: float, at: tuple[float, float, float], degrees: float, material: Material) -> Part:
    """A folded napkin lying down: two soft layers with wrinkles and a rounded fold."""
    cells = 120
    wrinkles = 0.10 * field((cells, cells), 77, slope=2.0, high=7)
    t = np.linspace(-1, 1, cells)
    edge = np.minimum(1 - np.abs(t)[None], 1 - np.abs(t)[:, None])
    # Edges come down to the table; the middle holds the thickness of the folds.
    lift = 0.5 * np.clip(edge * 9, 0, 1) ** 0.5
    x, z = np.meshgrid(t * side / 2, t * side / 2)
    bend = 1 + 0.03 * field((cells, cells), 78, slope=2.4, high=4)
    points = np.stack(
        [x * bend, np.maximum(lift + wrinkles * np.clip(edge * 6, 0, 1), 0.0), z * bend], axis=-1
    )
    return Part("napkin", move(turn(grid(points, flip=True), "y", degrees), at), material)


def slab(width: float, thick: float, depth: float) -> Mesh:
    """A worktop: a box of 0.4 cm edges with enough points for its texture to sit evenly."""
    return box(width, thick, depth, 0.4)


def tiles(width: float, height: float, back: float, colour: str, *, side: float, seed: int) -> Part:
    """A wall of glazed square tiles of `side` cm with sunk grout at z = `back`, from y = -5 up."""
    cells, pixels = 8, 160
    size = (cells * pixels, cells * pixels)
    rng = np.random.default_rng(seed)
    y, x = np.indices(size)
    edge = np.minimum(
        np.minimum(x % pixels, pixels - x % pixels), np.minimum(y % pixels, pixels - y % pixels)
    )
    joint = np.clip(1 - (edge - 2.0) / 1.5, 0, 1)
    tone = np.kron(1 + 0.05 * rng.standard_normal((cells, cells)), np.ones((pixels, pixels)))
    colours = linear(colour) * (tone + 0.015 * field(size, seed, slope=1.5))[..., None]
    colours = colours * (1 - joint[..., None]) + linear("#a9a294") * joint[..., None]
    pillow = np.minimum(edge, 12) / 12.0
    # Every tile sits at its own slight slant, which breaks up the reflections.
    slant = np.kron(rng.standard_normal((cells, cells)), np.ones((pixels, pixels))) * (
        (x % pixels) / pixels - 0.5
    )
    bump = pillow + 0.6 * slant + 0.12 * field(size, seed + 1, slope=2.0, low=8)
    mesh = move(turn(sheet(width, height, tile=cells * side), "x", 90), (0, height / 2 - 5, back))
    return Part(
        "tiles",
        mesh,
        m.surface(colours, np.clip(0.12 + 0.6 * joint, 0, 1), specular=0.5, bump=bump, depth=0.25),
    )


def board(size: tuple[float, float, float], at: tuple[float, float, float], lean: float) -> list[Part]:
    """A cutting board (width, height, thickness) standing on its edge and leaning back by `lean` degrees."""
    colour, height = patterns.wood((1024, 1024), 61, "#5c3a20", "#a5764a", rings=16)
    mesh = move(turn(box(*size, 0.5), "x", -lean), at)
    return [Part("cutting board", mesh, m.surface(colour, 0.5, bump=height, depth=0.02))]


def canister(radius: float, height: float, at: tuple[float, float, float], colour: str) -> Part:
    """A glazed jar with a knobbed lid."""
    profile = fillet(
        [
            (0, 0, 0),
            (radius * 0.93, 0, 0.4),
            (radius, height * 0.8, 0.3),
            (radius * 0.97, height * 0.82, 0.1),
            (radius * 1.03, height * 0.84, 0.15),
            (radius * 1.03, height * 0.88, 0.3),
            (radius * 0.25, height * 0.93, 0.4),
            (radius * 0.3, height, 0.4),
            (0, height, 0),
        ]
    )
    return Part("canister", move(lathe(profile), at), m.glaze(linear(colour), 0.12))


def lemons(
    places: Sequence[tuple[float, float, float, float]] = ((-9.5, 0, -16, 30), (-15.5, 0, -13, 140)),
    colour: str = "#e8b61c",
    radius: float = 2.7,
) -> list[Part]:
    """Lemons (or oranges, by colour) lying at (x, y, z, heading)."""
    t = np.linspace(0, np.pi, 60)
    profile = np.stack(
        [radius * np.sin(t) ** 0.95, -1.22 * radius * np.cos(t) - 0.14 * radius * np.cos(t) ** 15], axis=-1
    )
    profile[[0, -1], 0] = 0
    peel = m.surface(
        linear(colour) * (1 + 0.05 * field((512, 512), 3, slope=1.5))[..., None],
        0.38,
        bump=-np.abs(field((512, 512), 5, slope=0.5, low=25, high=90)),
        depth=0.05,
    )
    mesh = turn(lathe(profile, 96), "z", 90)
    return [
        Part("lemon", move(turn(mesh, "y", heading), (x, y + radius * 0.99, z)), peel)
        for x, y, z, heading in places
    ]
