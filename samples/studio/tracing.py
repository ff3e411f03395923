"""From a `Shot` to linear pixels and exact coverage, by Mitsuba; the only module that renders."""

import tempfile
from pathlib import Path
from typing import Any

import mitsuba as mi
import mitsuba_oidn
import numpy as np

from studio.meshes import normals
from studio.model import Array, Camera, Mesh, Shot

# Samples per call: keeps one wavefront of the vectorised variants within a few GB.
SAMPLES_AT_ONCE = 8_000_000


def choose_variant(name: str) -> None:
    """Switches Mitsuba to the variant; call before any scene is built."""
    mi.set_variant(name)


def render(shot: Shot, size: tuple[int, int], spp: int) -> Array:
    """Linear (height, width, 3) radiance, denoised with the help of albedo and normals."""
    integrator = {"type": "path", "max_depth": shot.depth, "rr_depth": 5}
    aov = {"type": "aov", "aovs": "albedo:albedo,normal:sh_normal", "image": integrator}
    with tempfile.TemporaryDirectory() as folder:
        scene = mi.load_dict(_scene(shot, size, Path(folder), aov))
        batches = [np.nan_to_num(b) for b in _batches(scene, size, spp)]
    total = np.mean(batches, axis=0)
    colour, albedo, normal = (
        np.ascontiguousarray(total[..., k : k + 3], dtype=np.float32) for k in (0, 3, 6)
    )
    clean = mitsuba_oidn.denoise(
        np.minimum(colour, 60), albedo=np.clip(albedo, 0, 1), normal=normal, hdr=True
    )
    return np.asarray(clean, dtype=np.float64)


def coverage(shot: Shot, size: tuple[int, int], spp: int) -> Array:
    """The share of each pixel (0 to 1) that product parts cover, with the same lens as `render`.

    Product parts are white, everything else is black and only hides. Clear glass counts as fully covering.
    """
    with tempfile.TemporaryDirectory() as folder:
        scene = mi.load_dict(
            _scene(shot, size, Path(folder), {"type": "aov", "aovs": "albedo:albedo"}, silhouette=True)
        )
        # Each batch is a 4 x 4 jittered grid per pixel, far smoother at edges than as many random samples.
        batches = [np.array(mi.render(scene, spp=16, seed=11 + k)) for k in range(max(1, spp // 16))]
    total = np.mean(batches, axis=0)
    return np.clip(np.asarray(total[..., 0], dtype=np.float64), 0, 1)


def _batches(scene: Any, size: tuple[int, int], spp: int) -> list[Array]:
    """The scene rendered in equal batches of at most `SAMPLES_AT_ONCE` samples, with different seeds."""
    jit = not str(mi.variant()).startswith("scalar")
    each = max(4, min(spp, SAMPLES_AT_ONCE // (size[0] * size[1]))) if jit else spp
    count = max(1, round(spp / each))
    return [np.array(mi.render(scene, spp=each, seed=11 + k)) for k in range(count)]


def _scene(
    shot: Shot, size: tuple[int, int], folder: Path, integrator: dict[str, Any], silhouette: bool = False
) -> dict[str, Any]:
    """The dictionary Mitsuba loads; as a silhouette the product is white and the rest black."""
    scene: dict[str, Any] = {
        "type": "scene",
        "integrator": integrator,
        "sensor": _sensor(shot.camera, size, silhouette),
    }
    if not silhouette:
        scene["sky"] = {"type": "envmap", "bitmap": mi.Bitmap(shot.environment.astype(np.float32))}
        scene |= {f"light{i}": dict(light) for i, light in enumerate(shot.lights)}
    for i, part in enumerate(shot.parts):
        file = folder / f"{i}.ply"
        _write_ply(file, part.mesh)
        shape: dict[str, Any] = {"type": "ply", "filename": str(file), "face_normals": not part.mesh.smooth}
        shape["bsdf"] = _flat(float(part.product)) if silhouette else dict(part.material)
        scene[f"part{i}"] = shape
    return scene


def _flat(value: float) -> dict[str, Any]:
    """A surface whose albedo is `value` from both sides."""
    return {"type": "twosided", "nested": {"type": "diffuse", "reflectance": {"type": "rgb", "value": value}}}


def _sensor(camera: Camera, size: tuple[int, int], jittered: bool) -> dict[str, Any]:
    """The thin lens, or a pinhole for aperture 0, with a box filter so that pixels do not bleed."""
    position, target = np.array(camera.position), np.array(camera.target)
    focus = np.array(camera.focus if camera.focus else camera.target)
    ahead = (target - position) / np.linalg.norm(target - position)
    roll = np.radians(camera.roll)
    side = np.cross(ahead, [0, 1, 0])
    side /= np.linalg.norm(side)
    up = np.cross(side, ahead) * np.cos(roll) + side * np.sin(roll)
    to_world = mi.ScalarTransform4f().look_at(
        origin=position.tolist(), target=target.tolist(), up=up.tolist()
    )
    sensor: dict[str, Any] = {
        "type": "thinlens" if camera.aperture else "perspective",
        "fov": camera.fov,
        "fov_axis": "larger",
        "near_clip": 0.5,
        "far_clip": 5000.0,
        "to_world": to_world,
        "film": {
            "type": "hdrfilm",
            "width": size[0],
            "height": size[1],
            "pixel_format": "rgb",
            "rfilter": {"type": "box"},
        },
        "sampler": {"type": "multijitter" if jittered else "independent"},
    }
    if camera.aperture:
        sensor |= {"aperture_radius": camera.aperture, "focus_distance": float((focus - position) @ ahead)}
    return sensor


def _write_ply(file: Path, mesh: Mesh) -> None:
    """The mesh as binary PLY with normals and uv, the format Mitsuba reads fastest."""
    data = np.concatenate([mesh.points, normals(mesh), mesh.uv], axis=1).astype("<f4")
    names = ("x", "y", "z", "nx", "ny", "nz", "u", "v")
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(data)}"]
    header += [f"property float {n}" for n in names]
    header += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices", "end_header"]
    faces = np.empty(len(mesh.faces), dtype=[("n", "u1"), ("i", "<i4", 3)])
    faces["n"], faces["i"] = 3, mesh.faces
    file.write_bytes("\n".join(header).encode() + b"\n" + data.tobytes() + faces.tobytes())
