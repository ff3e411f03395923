"""Places where several photos are taken: paper sweeps, desks by a window, a green room; with their light."""

import numpy as np

from studio import materials as m
from studio import patterns, props
from studio.colour import linear
from studio.lighting import Room, Window, room
from studio.meshes import box, move, sheet, turn
from studio.model import Array, Part
from studio.noise import field


def daylight(seed: int, *, side: str = "left", light: float = 12.0, walls: float = 0.42) -> Array:
    """A room with one large window at `side` and a dim one opposite the product."""
    windows = (Window(side, (-20, 25), (180, 150), light), Window("front", (-90, 20), (90, 130), light * 0.2))
    return room(Room(windows=windows, seed=seed, walls=(walls, walls * 0.97, walls * 0.92)))


def studio_room(seed: int, grey: float = 0.3, *, light: float = 2.0) -> Array:
    """A plain room of one grey, with two soft panels that shiny things mirror."""
    panels = (
        Window("left", (30, 30), (110, 170), light, (1, 1, 1), (0, 0)),
        Window("right", (60, 20), (60, 150), light * 0.6, (1, 1, 1), (0, 0)),
    )
    tone = (grey, grey, grey * 1.01)
    return room(Room(windows=panels, seed=seed, walls=tone, floor=tone, ceiling=tone, clutter=0.3))


def desk(seed: int, dark: str, light: str, reach: float = 130.0) -> list[Part]:
    """A wooden top of one board's texture, quicker to make than `props.wooden_table`, and a wall behind."""
    colour, height = patterns.wood((1024, 1024), seed, dark, light, planks=3)
    top = m.surface(colour, 0.4, specular=0.45, bump=height, depth=0.014)
    return [
        Part("desk", move(box(reach, 3, reach * 0.6, 0.3), (0, -3, -reach * 0.04)), top),
    ]


def stone_top(seed: int, colour: str, reach: float = 160.0, *, gloss: float = 0.3) -> Part:
    """A worktop of faintly clouded stone at y = 0."""
    cloud = (
        1
        + 0.10 * field((1024, 1024), seed, slope=1.5, low=2)
        + 0.05 * field((1024, 1024), seed + 1, slope=0.4)
    )
    rough = np.clip(gloss + 0.04 * field((512, 512), seed + 2, slope=1.4), 0.05, 0.9)
    tone = np.clip(linear(colour) * cloud[..., None], 0.004, 0.92)
    return Part(
        "worktop", move(box(reach, 4, reach * 0.7, 0.4), (0, -4, -reach * 0.08)), m.surface(tone, rough)
    )


def cloth_ground(seed: int, colour: str, reach: float, threads: int = 70) -> Part:
    """Woven cloth spread flat with a few soft folds, at y = 0 and a little below."""
    weave, height = patterns.weave((1024, 1024), seed, threads, colour, 0.9)
    mesh = sheet(reach, reach, cells=160)
    folds = 0.012 * reach * field((161, 161), seed + 4, slope=2.6, high=9).reshape(-1, 1)
    calm = np.clip((np.hypot(mesh.points[:, 0], mesh.points[:, 2]) / reach - 0.12) * 5, 0, 1)[:, None]
    points = mesh.points + np.array([0.0, 1.0, 0.0]) * np.minimum(folds, 0.02 * reach) * calm
    points[:, 1] -= 0.002 * reach * calm[:, 0]
    skin = m.surface(weave, 0.9, specular=0.1, sheen=0.3, bump=height, depth=0.03, scale=(3.0, 3.0))
    return Part("cloth", type(mesh)(points, mesh.faces, mesh.uv), skin)


def plaster_wall(back: float, colour: str, seed: int, size: float = 420.0) -> Part:
    """A painted wall at z = `back`, large enough for any of the cameras here."""
    return props.wall(size, size * 0.7, back, colour, seed, base=-0.25 * size)


def floor(colour: str, seed: int, reach: float) -> Part:
    """Sawn boards as a floor at y = 0, grain towards the viewer."""
    tone, height = patterns.wood((1024, 1024), seed, colour, "#b08a60", planks=5)
    skin = m.surface(tone, 0.42, bump=height, depth=0.02)
    return Part("floor", turn(sheet(reach, reach, tile=110), "y", 90), skin)
