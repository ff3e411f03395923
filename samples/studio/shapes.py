"""More shapes for the photos: tubes along any curve, rings, flat strips, lofts and hair. Lengths in cm."""

from collections.abc import Sequence

import numpy as np

from studio.meshes import grid, move, sweep
from studio.model import Array, Mesh


def tube(path: Array, radius: Array | float, *, closed: bool = False, segments: int = 16) -> Mesh:
    """A round tube along a 3D path of any course; open ends are closed by domes as high as their radius.

    `sweep` needs to know which way is up, so it fails where a path runs that way. This one carries its frame
    along the path instead (the double reflection method, Wang et al. 2008), and so has no such way.
    """
    path = np.asarray(path, dtype=np.float64)
    radii = np.array(np.broadcast_to(np.asarray(radius, dtype=np.float64), len(path)))
    if closed:
        path, radii = np.concatenate([path, path[:1]]), np.concatenate([radii, radii[:1]])
    else:
        path, radii = _domed(path, radii)
    tangent = np.gradient(path, axis=0)
    if closed:
        tangent[0] = tangent[-1] = path[1] - path[-2]
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    across = _carried(path, tangent)
    angle = np.linspace(0, 2 * np.pi, segments + 1)[None, :, None]
    if closed:
        # The frame comes back turned; the turn is spread over the whole way round.
        other = np.cross(tangent[0], across[0])
        twist = np.arctan2(across[-1] @ other, across[-1] @ across[0])
        angle = angle - np.linspace(0, twist, len(path))[:, None, None]
    upward = np.cross(tangent, across)
    ring = across[:, None] * np.cos(angle) + upward[:, None] * np.sin(angle)
    return grid(path[:, None] + ring * radii[:, None, None], flip=True)


def _domed(path: Array, radii: Array) -> tuple[Array, Array]:
    """The path with four more points at either end, where the radius falls to nothing as on a ball."""
    turnings = np.linspace(0, np.pi / 2, 5)[1:]
    first, last = path[0] - path[1], path[-1] - path[-2]
    first, last = first / np.linalg.norm(first), last / np.linalg.norm(last)
    start = path[0] + first * (radii[0] * np.sin(turnings))[:, None]
    end = path[-1] + last * (radii[-1] * np.sin(turnings))[:, None]
    fall = np.maximum(np.cos(turnings), 1e-4)
    return (
        np.concatenate([start[::-1], path, end]),
        np.concatenate([(radii[0] * fall)[::-1], radii, radii[-1] * fall]),
    )


def _carried(path: Array, tangent: Array) -> Array:
    """A unit vector across the path at every point, turning no more than the path does."""
    across = np.empty_like(path)
    least = np.eye(3)[np.abs(tangent[0]).argmin()]
    across[0] = np.cross(tangent[0], least)
    across[0] /= np.linalg.norm(across[0])
    for i in range(len(path) - 1):
        step = path[i + 1] - path[i]
        length = max(float(step @ step), 1e-18)
        here = across[i] - 2 / length * (step @ across[i]) * step
        ahead = tangent[i] - 2 / length * (step @ tangent[i]) * step
        off = tangent[i + 1] - ahead
        square = float(off @ off)
        across[i + 1] = here - (2 / square * (off @ here) * off if square > 1e-18 else 0)
    return across


def torus(
    radius: float, thickness: float, *, squash: float = 1.0, steps: int = 64, segments: int = 16
) -> Mesh:
    """A ring around y at the origin of a wire `thickness` cm across; `squash` is its depth along z."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    path = np.stack([radius * np.cos(angle), 0 * angle, radius * squash * np.sin(angle)], axis=-1)
    return tube(path, thickness / 2, closed=True, segments=segments)


def ball(
    radius: float, at: Sequence[float], *, stretch: Sequence[float] = (1, 1, 1), steps: int = 40
) -> Mesh:
    """An ellipsoid: `radius` times `stretch` along x, y and z, centred on `at`."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, steps), np.linspace(0, 2 * np.pi, 2 * steps), indexing="ij"
    )
    points = np.stack(
        [np.sin(polar) * np.sin(around), -np.cos(polar), np.sin(polar) * np.cos(around)], axis=-1
    )
    return move(grid(points * radius * np.asarray(stretch)), at)


def loft(sections: Array) -> Mesh:
    """A skin over (count, points, 3) outlines, closed at both ends by fans; outlines end where they begin."""
    ends = [np.broadcast_to(sections[i].mean(axis=0), sections[i].shape)[None] for i in (0, -1)]
    return grid(np.concatenate([ends[0], sections, ends[1]]))


def bar(path: Array, width: float, thick: float, *, edge: float = 8.0) -> Mesh:
    """A flat strip of near-square section along a path in the x-y plane, its `thick` along z."""
    return sweep(path, width, thick, up=(0, 0, 1), power=edge, segments=40)


def arc(
    centre: Sequence[float], radii: tuple[float, float], span: tuple[float, float], steps: int = 40
) -> Array:
    """Points of an ellipse in the x-y plane, over `span` in degrees anticlockwise from +x."""
    angle = np.radians(np.linspace(*span, steps))
    flat = np.stack([radii[0] * np.cos(angle), radii[1] * np.sin(angle), 0 * angle], axis=-1)
    return np.asarray(flat + np.asarray(centre, dtype=np.float64))


def hair(
    roots: Array, outward: Array, length: Array, *, width: float, droop: float, curl: float, seed: int
) -> Mesh:
    """Fur: a tapering ribbon per root, bent by `droop` towards the ground and by `curl` at random.

    `roots` and `outward` are (n, 3), `length` (n,) in cm; `droop` and `curl` are shares of the length.
    """
    rng = np.random.default_rng(seed)
    count, rows = len(roots), 6
    t = np.linspace(0, 1, rows)[None, :, None]
    lean = rng.standard_normal((count, 1, 3)) * curl
    bend = lean * t**1.6 + np.array([0, -droop, 0]) * t**2
    spine = roots[:, None] + length[:, None, None] * (outward[:, None] * t + bend)
    across = np.cross(outward, rng.standard_normal((count, 3)))
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    half = width / 2 * np.clip(1.05 - t**2, 0, 1)
    points = np.stack([spine - across[:, None] * half, spine + across[:, None] * half], axis=2)
    index = np.arange(count * rows * 2).reshape(count, rows, 2)
    a, b, c, d = index[:, :-1, 0], index[:, :-1, 1], index[:, 1:, 1], index[:, 1:, 0]
    faces = np.concatenate([np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)]).reshape(-1, 3)
    uv = np.empty((count, rows, 2, 2))
    # u tells one hair from the next, so that a texture can give each its own tone.
    uv[..., 0] = rng.random((count, 1, 1))
    uv[..., 1] = np.linspace(0, 1, rows)[None, :, None]
    return Mesh(points.reshape(-1, 3), faces, uv.reshape(-1, 2))


def scatter(mesh: Mesh, count: int, seed: int) -> tuple[Array, Array]:
    """`count` places spread evenly over a mesh, and the way out of it at each: two (count, 3) arrays."""
    rng = np.random.default_rng(seed)
    corners = mesh.points[mesh.faces]
    out = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(out, axis=1)
    chosen = rng.choice(len(area), count, p=area / area.sum())
    a, b = rng.random((2, count, 1))
    fold = a + b > 1
    a, b = np.where(fold, 1 - a, a), np.where(fold, 1 - b, b)
    picked = corners[chosen]
    places = picked[:, 0] + a * (picked[:, 1] - picked[:, 0]) + b * (picked[:, 2] - picked[:, 0])
    return places, out[chosen] / np.maximum(area[chosen, None], 1e-12)


def mirrored(mesh: Mesh) -> Mesh:
    """The mesh's mirror image in the plane x = 0, its faces still turned outward."""
    return Mesh(mesh.points * np.array([-1.0, 1, 1]), mesh.faces[:, ::-1], mesh.uv, mesh.smooth)
