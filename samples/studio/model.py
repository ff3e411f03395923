"""What a photo is made of, as plain data: meshes with materials, a camera, lights and a finish.

One scene unit is one centimetre; y points up; colours are linear RGB.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Faces = NDArray[np.int64]
# A material or light is the dictionary that Mitsuba's `load_dict` reads, so its values are of many types.
Material = Mapping[str, Any]


@dataclass(frozen=True)
class Mesh:
    """Triangles: `points` (n, 3) in cm, `faces` (m, 3), `uv` (n, 2); `smooth` shares normals across edges."""

    points: Array
    faces: Faces
    uv: Array
    smooth: bool = True


@dataclass(frozen=True)
class Part:
    """One thing in the picture; the `product` parts together make the alpha."""

    name: str
    mesh: Mesh
    material: Material
    product: bool = False


@dataclass(frozen=True)
class Camera:
    """A thin lens at `position` looking at `target`.

    `fov` is the angle across the picture's long side in degrees, `aperture` the lens radius in cm, `focus`
    the point in focus (`target` when left out) and `roll` how crooked the photographer held it, in degrees.
    """

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    fov: float
    aperture: float = 0.0
    focus: tuple[float, float, float] | None = None
    roll: float = 0.0


@dataclass(frozen=True)
class Finish:
    """How the camera develops the light: see `finishing.develop`."""

    exposure: float = 1.0
    white: tuple[float, float, float] = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    saturation: float = 1.0
    vignette: float = 0.12
    grain: float = 0.006
    bloom: float = 0.03
    sharpen: float = 0.35


@dataclass(frozen=True)
class Encoding:
    """How the file stores the picture; orientation 6 keeps the pixels turned and says so in EXIF."""

    suffix: str = "jpg"
    quality: int = 90
    orientation: int = 1
    colour_space: str = "srgb"


@dataclass(frozen=True)
class Shot:
    """One sample photo. `tests` says what it is in the set for."""

    name: str
    kind: str
    tests: str
    size: tuple[int, int]
    camera: Camera
    parts: tuple[Part, ...]
    environment: Array
    lights: tuple[Material, ...] = ()
    finish: Finish = field(default_factory=Finish)
    encoding: Encoding = field(default_factory=Encoding)
    spp: int = 96
    depth: int = 8
