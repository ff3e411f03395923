"""The scene picture: an item's product in its scene at the photo's own aspect, with what is told of it.

Called by the placement endpoint, and by the export-worker where the look of a photo is revised. It is the
item's preview; every variant is composed anew from the photo at the variant's own size.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opal.fidelity import Fidelity, measure
from opal.images.encode import encode
from opal.images.finished import read_finished
from opal.images.matte import Matte
from opal.images.metadata import DigitalSourceType, PictureMetadata
from opal.images.photo import Photo
from opal.placement.engines import engine_for
from opal.placement.place import Composition, compose
from opal.placement.placement import Placement
from opal.placement.product import Product
from opal.placement.provenance import digital_source_type
from opal.placement.scene import Scene
from opal.placement.upright import upright
from opal.telemetry.tracing import span

SCENE_SIDE = 2048
"""Longest side of the scene picture, pixels."""


@dataclass(frozen=True, slots=True)
class ScenePicture:
    """The picture as PNG, and how it was made."""

    png: bytes
    scene: Scene
    backdrop: Photo | None
    made: Composition
    straightened_degrees: float
    fidelity: Fidelity
    source_type: DigitalSourceType | None
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds per step."""

    def facts(self) -> dict[str, Any]:
        """Those fields of ``ScoreMeta`` that tell of the picture, as JSON; not of the cut-out."""
        painter, box = engine_for(self.scene.kind), self.made.product_box
        height, width = self.made.alpha.shape
        transform = self.made.transform
        return {
            "engine": painter.name,
            "engine_version": painter.version,
            "seed": self.made.seed,
            "canvas_width": width,
            "canvas_height": height,
            "product_box": {"left": box.left, "top": box.top, "width": box.width, "height": box.height},
            "transform": {"scale": transform.scale, "tx": transform.tx, "ty": transform.ty},
            "straightened_degrees": self.straightened_degrees,
            "capped": self.made.capped,
            "upscaled": self.made.upscaled,
            "backdrop": self._backdrop_used(),
            "fidelity": self.fidelity.model_dump(mode="json"),
            "digital_source_type": self.source_type,
        }

    def _backdrop_used(self) -> dict[str, Any] | None:
        if self.backdrop is None or self.made.enlargement is None:
            return None
        return {
            "sha256": self.backdrop.source.sha256,
            "width": self.backdrop.width,
            "height": self.backdrop.height,
            "enlargement": round(self.made.enlargement, 4),
        }


def make_scene_picture(
    photo: Photo,
    matte: Matte,
    scene: Scene,
    placement: Placement,
    *,
    seed: int,
    backdrop: Photo | None = None,
) -> ScenePicture:
    """Compose and measure it. `matte` is (H, W) at the photo's size, `backdrop` a `backdrop` scene's picture.

    Raises NoProductFound, ProductTooSmall and BackdropUnusable.
    """
    timings: dict[str, float] = {}
    with _timed(timings, "straighten"):
        subject = upright(photo, matte, placement)
        product = Product.of(subject.photo, subject.matte)
    width, height = scene_size(photo)
    with span("compose"):
        made = compose(product, scene, placement, width, height, seed=seed, backdrop=backdrop)
    with _timed(timings, "encode"):
        source_type = digital_source_type(scene, backdrop)
        png = encode(made.pixels, "png", metadata=PictureMetadata(digital_source_type=source_type))
    with _timed(timings, "fidelity"):
        fidelity = measure(
            read_finished(png).pixels,
            made.reference,
            made.alpha,
            made.product_box,
            matte=subject.matte,
            transform=made.transform,
            relight=made.relight,
        )
    return ScenePicture(
        png=png,
        scene=scene,
        backdrop=backdrop,
        made=made,
        straightened_degrees=subject.degrees,
        fidelity=fidelity,
        source_type=source_type,
        timings=timings | made.timings,
    )


def scene_size(photo: Photo) -> tuple[int, int]:
    """Width and height of the scene picture: the photo's, its longer side at most ``SCENE_SIDE``."""
    scale = min(1.0, SCENE_SIDE / max(photo.width, photo.height))
    return max(1, round(photo.width * scale)), max(1, round(photo.height * scale))


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    with span(step):
        yield
    timings[step] = round(time.perf_counter() - started, 4)
