"""Makes an item's finished pictures, one per preset, each with its two reports.

Called by `export_item.py` and by `opal process`. Pure: photo, matte and data in, bytes out. Every picture is
composed at its own size and aspect from the photo, never cropped from another picture.
"""

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from opal.fidelity import Fidelity, measure
from opal.images.encode import EXTENSION, MEDIA_TYPE, OutputFormat, encode
from opal.images.finished import read_finished
from opal.images.matte import Matte
from opal.images.metadata import PictureMetadata
from opal.images.photo import Photo
from opal.marketplaces.compliance import Placed, RuleResult, check
from opal.marketplaces.presets import Preset
from opal.placement.place import Composition, compose, find_product
from opal.placement.placement import Placement
from opal.placement.provenance import digital_source_type
from opal.placement.scene import BackdropScene, Scene, SolidScene, TransparentScene
from opal.placement.upright import Upright, upright

LOWEST_QUALITY = 70
"""Below it a JPEG shows blocks; a picture still too large then fails its `bytes` rule instead."""
_QUALITY_STEP = 5


@dataclass(frozen=True, slots=True)
class Variant:
    """One finished picture."""

    preset: str
    format: OutputFormat
    extension: str
    media_type: str
    data: bytes
    width: int
    height: int
    sha256: str
    compliance: tuple[RuleResult, ...]
    fidelity: Fidelity
    scale: float
    """Canvas pixels per photo pixel."""
    straightened_degrees: float
    """Clockwise turn before placing; 0.0 when the product was left as it was photographed."""
    upscaled: bool
    """Enlarged: `scale` is above 1."""
    capped: bool
    """Smaller than the preset wants, as the photo has too few pixels; its `fill_share` row says so."""
    enlargement: float | None
    """Pixels of the picture per pixel of its backdrop, above 1 where that was enlarged; None without one."""
    digital_source_type: str | None
    timings: dict[str, float]
    """Seconds per step."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What all of a photo's pictures are made of."""

    subject: Upright
    scene: Scene
    backdrop: Photo | None


def create_variants(
    photo: Photo,
    matte: Matte,
    scene: Scene,
    placement: Placement,
    presets: Sequence[Preset],
    *,
    seed: int,
    backdrop: Photo | None = None,
    workers: int = 2,
) -> list[Variant]:
    """Make one picture per preset, in the presets' order.

    `matte` is (H, W) at the photo's size, `backdrop` the picture of a `backdrop` scene. At most `workers`
    pictures are in memory at a time (about 0.3 GB each at 2000 x 2000). Raises NoProductFound,
    ProductTooSmall, BackdropUnusable and BackdropTooSmall.
    """
    find_product(matte)
    subject = upright(photo, matte, placement)
    source = _Source(subject, scene, backdrop)
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(presets)))) as pool:
        return list(pool.map(lambda p: _create(source, placement, p, seed), presets))


def scene_for(preset: Preset, scene: Scene) -> Scene:
    """The scene a preset is made in: the chosen one, unless the channel prescribes the ground."""
    match preset.ground:
        case "white":
            return SolidScene(colour="#ffffff")
        case "colour":
            assert preset.colour is not None, "presets are checked for it"
            return SolidScene(colour=preset.colour)
        case "transparent":
            return TransparentScene()
        case "scene" if isinstance(scene, BackdropScene) and preset.fill is not None:
            # The channel demands a size, so the product cannot have that of its place.
            return scene.model_copy(update={"scale": None})
        case "scene":
            return scene


def placement_for(preset: Preset, placement: Placement) -> Placement:
    """The placement a preset is made with.

    A preset's `fill`, `shadow` and `alignment` are the channel's demands and win. Its `margin` is a
    default that gives way to a size the client asked for. The ground line belongs to a scene.
    """
    changes: dict[str, object] = {}
    if preset.fill is not None:
        changes |= {"fill": preset.fill, "margin": None}
    elif preset.margin is not None and placement.fill is None and placement.margin is None:
        changes["margin"] = preset.margin
    if preset.shadow is not None:
        changes["shadow"] = preset.shadow
    if preset.alignment is not None:
        changes["alignment"] = preset.alignment
    if preset.ground == "scene":
        changes["upscale_limit"] = max(preset.upscale_limit, placement.upscale_limit)
    else:
        changes |= {"upscale_limit": preset.upscale_limit, "ground": None}
    return placement.model_copy(update=changes)


def _create(source: _Source, placement: Placement, preset: Preset, seed: int) -> Variant:
    subject, backdrop = source.subject, source.backdrop
    ground = scene_for(preset, source.scene)
    width, height, placed_as = _canvas(preset, placement_for(preset, placement), subject.matte)
    composition = compose(
        subject.photo, subject.matte, ground, placed_as, width, height, seed=seed, backdrop=backdrop
    )
    source_type = digital_source_type(ground, backdrop)
    timings = dict(composition.timings)
    started = time.perf_counter()
    data = _encode_within(preset, composition, PictureMetadata(digital_source_type=source_type))
    encoded = time.perf_counter()
    finished = read_finished(data)
    compliance = check(finished, preset, Placed(composition.alpha, composition.transform.scale))
    checked = time.perf_counter()
    fidelity = measure(
        finished.pixels,
        composition.reference,
        composition.alpha,
        composition.product_box,
        matte=subject.matte,
        transform=composition.transform,
        relight=composition.relight,
    )
    measured = time.perf_counter()
    timings |= {
        "encode": round(encoded - started, 4),
        "compliance": round(checked - encoded, 4),
        "fidelity": round(measured - checked, 4),
    }
    return Variant(
        preset=preset.name,
        format=preset.format,
        extension=EXTENSION[preset.format],
        media_type=MEDIA_TYPE[preset.format],
        data=data,
        width=finished.width,
        height=finished.height,
        sha256=hashlib.sha256(data).hexdigest(),
        compliance=compliance,
        fidelity=fidelity,
        scale=composition.transform.scale,
        straightened_degrees=subject.degrees,
        upscaled=composition.upscaled,
        capped=composition.capped and not preset.native,
        enlargement=composition.enlargement,
        digital_source_type=source_type,
        timings=timings,
    )


def _canvas(preset: Preset, placement: Placement, matte: Matte) -> tuple[int, int, Placement]:
    """Canvas size and final placement; a native-size preset takes its canvas from the product."""
    if preset.width is not None and preset.height is not None:
        return preset.width, preset.height, placement
    box, _ = find_product(matte)
    pad = max(1, round((preset.margin or 0.0) * max(box.width, box.height)))
    # The whole canvas is asked for and the limit of 1.0 holds the product at exactly its own size.
    native = placement.model_copy(
        update={"fill": None, "margin": 0.0, "upscale_limit": 1.0, "alignment": "center", "ground": None}
    )
    return box.width + 2 * pad, box.height + 2 * pad, native


def _encode_within(preset: Preset, composition: Composition, metadata: PictureMetadata) -> bytes:
    """Encode at the preset's quality, lower only as far as its byte budget needs."""
    quality = preset.quality
    while True:
        data = encode(composition.pixels, preset.format, quality, dpi=preset.dpi, metadata=metadata)
        fits = preset.max_bytes is None or len(data) <= preset.max_bytes
        if fits or preset.format == "png" or quality <= LOWEST_QUALITY:
            return data
        quality = max(LOWEST_QUALITY, quality - _QUALITY_STEP)
