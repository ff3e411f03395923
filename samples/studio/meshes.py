"""Shapes as triangles: turned, swept, boxed and flat ones, and how to move them. All lengths in cm."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from studio.model import Array, Faces, Mesh


def grid_faces(rows: int, columns: int) -> Faces:
    """Two triangles per cell of a row-major grid of `rows` x `columns` points."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    first = np.stack([a, b, c], axis=-1).reshape(-1, 3)
    second = np.stack([a, c, d], axis=-1).reshape(-1, 3)
    return np.concatenate([first, second])


def grid(points: Array, flip: bool = False) -> Mesh:
    """A surface from a (rows, columns, 3) grid of points, uv running 0 to 1 along columns and rows."""
    rows, columns = points.shape[:2]
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    faces = grid_faces(rows, columns)
    return Mesh(
        points.reshape(-1, 3), faces[:, ::-1] if flip else faces, np.stack([u, v], axis=-1).reshape(-1, 2)
    )


def sheet(width: float, depth: float, tile: float = 0.0, cells: int = 1) -> Mesh:
    """A flat rectangle facing up, centred on the origin; `tile` is the size in cm that uv 0 to 1 covers."""
    x, z = np.meshgrid(
        np.linspace(-width / 2, width / 2, cells + 1), np.linspace(-depth / 2, depth / 2, cells + 1)
    )
    mesh = grid(np.stack([x, np.zeros_like(x), z], axis=-1), flip=True)
    if tile:
        mesh = Mesh(mesh.points, mesh.faces, mesh.uv * np.array([width / tile, depth / tile]))
    return mesh


def fillet(corners: Sequence[tuple[float, float, float]], steps: int = 8) -> Array:
    """A 2D outline through (x, y, radius) corners, each rounded by an arc of that radius in cm."""
    points = np.array([c[:2] for c in corners], dtype=np.float64)
    out = [points[0]]
    for i in range(1, len(points) - 1):
        before, here, after = points[i - 1], points[i], points[i + 1]
        a, b = before - here, after - here
        length_a, length_b = float(np.hypot(*a)), float(np.hypot(*b))
        a, b = a / length_a, b / length_b
        half = np.arccos(np.clip(a @ b, -1, 1)) / 2
        radius = corners[i][2]
        if radius <= 0 or half > np.pi / 2 - 1e-3:
            out.append(here)
            continue
        cut = min(radius / np.tan(half), 0.49 * length_a, 0.49 * length_b)
        start, end = here + a * cut, here + b * cut
        # A quadratic Bezier through the corner is within a hair of the arc and never overshoots.
        for t in np.linspace(0, 1, steps):
            out.append((1 - t) ** 2 * start + 2 * t * (1 - t) * here + t**2 * end)
    out.append(points[-1])
    return np.array(out)


def dense(profile: Array, step: float = 0.3) -> Array:
    """The outline with no step longer than `step` cm, so that bends and bumps have points to move."""
    out = [profile[:1]]
    for a, b in pairwise(profile):
        count = max(1, int(np.ceil(np.hypot(*(b - a)) / step)))
        out.append(a + (b - a) * np.linspace(0, 1, count + 1)[1:, None])
    return np.concatenate(out)


def outline_length(profile: Array) -> float:
    """Length of an outline in cm, which is what v from 0 to 1 covers on a turned mesh."""
    return float(np.hypot(*np.diff(profile, axis=0).T).sum())


def spline(points: Sequence[Sequence[float]], steps: int = 12) -> Array:
    """A Catmull-Rom curve through the points, `steps` samples per span."""
    p = np.array(points, dtype=np.float64)
    p = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    out = []
    for i in range(1, len(p) - 2):
        for t in np.linspace(0, 1, steps, endpoint=False):
            a = 2 * p[i]
            b = p[i + 1] - p[i - 1]
            c = 2 * p[i - 1] - 5 * p[i] + 4 * p[i + 1] - p[i + 2]
            d = -p[i - 1] + 3 * p[i] - 3 * p[i + 1] + p[i + 2]
            out.append(0.5 * (a + b * t + c * t**2 + d * t**3))
    out.append(p[-2])
    return np.array(out)


def lathe(profile: Array, segments: int = 128, section: Callable[[Array], Array] | None = None) -> Mesh:
    """Turns an (r, y) profile around y; `section` maps angles to a factor on r (1 is round).

    u runs around, v along the profile by arc length. The profile goes up the outside for outward faces.
    """
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    factor = section(angle) if section else np.ones_like(angle)
    r, y = profile[:, :1], profile[:, 1:]
    points = np.stack([r * np.sin(angle) * factor, y + 0 * angle, r * np.cos(angle) * factor], axis=-1)
    mesh = grid(points)
    arc = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(profile, axis=0).T))])
    v = np.repeat(arc / arc[-1], segments + 1)
    return Mesh(mesh.points, mesh.faces, np.stack([mesh.uv[:, 0], v], axis=-1))


def polygon_section(sides: int, roundness: float) -> Callable[[Array], Array]:
    """A `lathe` section for a regular polygon; `roundness` 0 keeps sharp corners, 1 gives a circle."""

    def factor(angle: Array) -> Array:
        wedge = 2 * np.pi / sides
        local = (angle % wedge) - wedge / 2
        sharp = np.cos(wedge / 2) / np.cos(local)
        soft = np.minimum(sharp, 1 - 0.35 * roundness * (1 - np.cos(wedge / 2)))
        return np.asarray((1 - roundness) * soft + roundness * (soft * 0.5 + 0.5))

    return factor


def sweep(
    path: Array,
    width: Array | float,
    height: Array | float,
    *,
    up: Sequence[float] = (0, 0, 1),
    power: float = 2.0,
    segments: int = 24,
) -> Mesh:
    """A tube along a 3D path with capped ends.

    `up` fixes which way `height` points, `width` runs across; both are full sizes in cm and may vary along
    the path. `power` is the section's superellipse exponent: 2 is round, 6 nearly a box.
    """
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.cross(tangent, np.asarray(up, dtype=np.float64))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    upward = np.cross(across, tangent)
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    cos, sin = np.cos(angle), np.sin(angle)
    x = np.sign(cos) * np.abs(cos) ** (2 / power)
    y = np.sign(sin) * np.abs(sin) ** (2 / power)
    w = np.broadcast_to(np.asarray(width, dtype=np.float64) / 2, len(path))[:, None, None]
    h = np.broadcast_to(np.asarray(height, dtype=np.float64) / 2, len(path))[:, None, None]
    rings = path[:, None] + across[:, None] * x[:, None] * w + upward[:, None] * y[:, None] * h
    mesh = grid(rings)
    count, ring = len(mesh.points), segments + 1
    caps = [path[:1], path[-1:]]
    last = count - ring
    first_cap = [[count, i + 1, i] for i in range(segments)]
    last_cap = [[count + 1, last + i, last + i + 1] for i in range(segments)]
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    uv = np.stack([mesh.uv[:, 0], np.repeat(arc / arc[-1], ring)], axis=-1)
    return Mesh(
        np.concatenate([mesh.points, *caps]),
        np.concatenate([mesh.faces, np.array(first_cap + last_cap)]),
        np.concatenate([uv, [[0.5, 0.0], [0.5, 1.0]]]),
    )


def box(width: float, height: float, depth: float, radius: float, cells: int = 12) -> Mesh:
    """A box with rounded edges standing on y = 0. uv covers each side fully, as a photo pasted on it."""
    half = np.array([width, height, depth]) / 2
    # Cells crowd towards the edges, where the rounding happens.
    ramp = np.sin(np.linspace(-np.pi / 2, np.pi / 2, cells + 1))
    u, v = np.meshgrid(ramp, ramp)
    one = np.ones_like(u)
    sides = [(u, -v, one), (-u, -v, -one), (one, -v, -u), (-one, -v, u), (u, one, v), (u, -one, -v)]
    meshes = []
    for side in sides:
        cube = np.stack(side, axis=-1) * half
        inner = np.clip(cube, -(half - radius), half - radius)
        offset = cube - inner
        length = np.linalg.norm(offset, axis=-1, keepdims=True)
        face = grid(inner + radius * offset / np.maximum(length, 1e-9), flip=True)
        # uv follows place, not point number, or textures would stretch in the middle.
        even = np.stack([u, v], axis=-1).reshape(-1, 2) / 2 + 0.5
        meshes.append(Mesh(face.points, face.faces, even))
    return move(join(meshes), (0, half[1], 0))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one; smooth if the first is."""
    starts = np.cumsum([0] + [len(m.points) for m in meshes[:-1]])
    return Mesh(
        np.concatenate([m.points for m in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]),
        np.concatenate([m.uv for m in meshes]),
        meshes[0].smooth,
    )


def move(mesh: Mesh, by: Sequence[float]) -> Mesh:
    """The mesh shifted by (x, y, z) cm."""
    return Mesh(mesh.points + np.asarray(by, dtype=np.float64), mesh.faces, mesh.uv, mesh.smooth)


def turn(mesh: Mesh, axis: str, degrees: float) -> Mesh:
    """The mesh turned around the x, y or z axis through the origin."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis]
    return Mesh(mesh.points @ np.array(matrix).T, mesh.faces, mesh.uv, mesh.smooth)


def normals(mesh: Mesh) -> Array:
    """Unit normals per point; points at the same place share one, so uv seams do not show."""
    corners = mesh.points[mesh.faces]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    _, shared = np.unique(np.round(mesh.points, 5), axis=0, return_inverse=True)
    shared = shared.reshape(-1)
    total = np.zeros((int(shared.max()) + 1, 3))
    for k in range(3):
        np.add.at(total, shared[mesh.faces[:, k]], face)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray((total / np.maximum(length, 1e-12))[shared])


def facets(mesh: Mesh) -> Mesh:
    """The same shape with a hard edge around every triangle."""
    flat = mesh.faces.reshape(-1)
    return Mesh(mesh.points[flat], np.arange(len(flat)).reshape(-1, 3), mesh.uv[flat], smooth=False)
