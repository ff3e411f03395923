"""Makes an item's finished pictures, one per preset, each with its two reports.

Called by `export_item.py` and by `opal process`. Pure: photo, matte and data in, bytes out. Every picture is
composed at its own size and aspect from the photo, never cropped from another picture.
"""

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Self

from opal.content_credentials.manifest import Making
from opal.content_credentials.sign import PictureSigner
from opal.fidelity import Fidelity, measure
from opal.images.budget import Budget, Encoded, encode_within
from opal.images.encode import MEDIA_TYPE, OutputFormat
from opal.images.finished import read_finished
from opal.images.geometry import Box
from opal.images.matte import Matte
from opal.images.metadata import DigitalSourceType, PictureMetadata
from opal.images.photo import Photo
from opal.marketplaces.compliance import RuleResult, check
from opal.marketplaces.fixes import AsPhotographed, Made, with_fixes
from opal.marketplaces.measurements import Placed
from opal.marketplaces.presets import Preset
from opal.marketplaces.smaller import smaller
from opal.placement.place import Composition, compose
from opal.placement.placement import Placement
from opal.placement.product import Product
from opal.placement.provenance import digital_source_type
from opal.placement.scene import BackdropScene, Scene, SolidScene, TransparentScene
from opal.placement.upright import upright
from opal.telemetry.tracing import span


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
    offset: tuple[float, float]
    """Canvas pixels from the canvas' upper left corner to that of the photo, or of the frame that holds a
    turned one."""
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
class Source:
    """What all of a photo's pictures are made of."""

    photo: Photo
    """As it was uploaded."""
    product: Product
    straightened_degrees: float
    scene: Scene
    backdrop: Photo | None = None
    signer: PictureSigner | None = None

    @classmethod
    def of(
        cls,
        photo: Photo,
        matte: Matte,
        placement: Placement,
        scene: Scene,
        *,
        backdrop: Photo | None = None,
        signer: PictureSigner | None = None,
    ) -> Self:
        """Find the product, turned upright where `placement` asks for it.

        Raises NoProductFound and ProductTooSmall.
        """
        subject = upright(photo, matte, placement)
        product = Product.of(subject.photo, subject.matte)
        return cls(photo, product, subject.degrees, scene, backdrop, signer)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it was made, before anything is said about it."""

    preset: Preset
    """As asked for; a byte budget may have made the canvas smaller."""
    encoded: Encoded
    data: bytes
    """The file: `encoded`, signed where there is a signer."""
    composition: Composition
    source: Source
    digital_source_type: DigitalSourceType | None
    timings: dict[str, float]
    """Seconds per step."""


def create_variants(
    photo: Photo,
    matte: Matte,
    scene: Scene,
    placement: Placement,
    presets: Sequence[Preset],
    *,
    seed: int,
    backdrop: Photo | None = None,
    signer: PictureSigner | None = None,
    file_name: str = "",
    workers: int = 2,
) -> list[Variant]:
    """Make one picture per preset, in the presets' order.

    `matte` is (H, W) at the photo's size, `backdrop` the picture of a `backdrop` scene; a `signer` puts a
    C2PA manifest into each. `file_name` is the photo's, for the report alone. At most `workers` pictures are
    in memory at a time (about 0.3 GB each at 2000 x 2000). Raises NoProductFound, ProductTooSmall,
    BackdropUnusable, BackdropTooSmall and SigningFailed.
    """
    source = Source.of(photo, matte, placement, scene, backdrop=backdrop, signer=signer)
    as_photographed = AsPhotographed(photo, matte, file_name)

    def create(preset: Preset) -> Variant:
        with span("make variant", attributes={"opal.preset": preset.name}) as making:
            variant = _judged(make_picture(source, placement, preset, seed=seed), as_photographed)
            making.note("opal.bytes", len(variant.data))
            return variant

    # Each in a copy of this context, so that its span comes below the caller's.
    contexts = [copy_context() for _ in presets]
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(presets)))) as pool:
        return list(pool.map(lambda context, preset: context.run(create, preset), contexts, presets))


def make_picture(source: Source, placement: Placement, preset: Preset, *, seed: int) -> Picture:
    """Compose, encode and sign one picture; raises what `create_variants` does.

    Where no quality meets the byte budget, it is composed anew on a smaller canvas.
    """
    picture = _made(source, placement, preset, seed=seed)
    while preset.max_bytes is not None and len(picture.data) > preset.max_bytes:
        fitting = smaller(preset, picture.composition.pixels.shape[1], len(picture.data))
        if fitting is None:
            break
        picture = replace(_made(source, placement, fitting, seed=seed), preset=preset)
    return picture


def _made(source: Source, placement: Placement, preset: Preset, *, seed: int) -> Picture:
    product, backdrop = source.product, source.backdrop
    ground = scene_for(preset, source.scene)
    width, height, placed_as = _canvas(preset, placement_for(preset, placement), product.box)
    composition = compose(
        *(product, ground, placed_as, width, height),
        seed=seed,
        backdrop=backdrop,
        clear=preset.clear_box(width, height) if preset.safe_area else None,
    )
    source_type = digital_source_type(ground, backdrop)
    started = time.perf_counter()
    making = _making(source, ground, preset, composition, source_type)
    encoded = _encoded(preset, composition, source_type, _growth(source.signer, preset, making))
    made = time.perf_counter()
    data = encoded.data if source.signer is None else source.signer.sign(encoded.data, preset.format, making)
    timings = {
        **composition.timings,
        "encode": round(made - started, 4),
        "sign": round(time.perf_counter() - made, 4),
    }
    return Picture(preset, encoded, data, composition, source, source_type, timings)


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


def _judged(picture: Picture, as_photographed: AsPhotographed) -> Variant:
    """The picture with what its own bytes say of it, as they are delivered."""
    preset, composition, source = picture.preset, picture.composition, picture.source
    data, source_type = picture.data, picture.digital_source_type
    started = time.perf_counter()
    finished = read_finished(data)
    placed = Placed(composition.alpha, composition.transform.scale, preset.extension, source_type)
    rows = check(finished, preset, placed)
    made = Made(finished.width, finished.height, source_type, _done_for_bytes(picture))
    compliance = with_fixes(rows, preset, as_photographed, made)
    checked = time.perf_counter()
    fidelity = measure(
        finished.pixels,
        composition.reference,
        composition.alpha,
        composition.product_box,
        matte=source.product.matte,
        transform=composition.transform,
        relight=composition.relight,
    )
    measured = time.perf_counter()
    timings = {
        **picture.timings,
        "compliance": round(checked - started, 4),
        "fidelity": round(measured - checked, 4),
    }
    return Variant(
        preset=preset.name,
        format=preset.format,
        extension=preset.extension,
        media_type=MEDIA_TYPE[preset.format],
        data=data,
        width=finished.width,
        height=finished.height,
        sha256=hashlib.sha256(data).hexdigest(),
        compliance=compliance,
        fidelity=fidelity,
        scale=composition.transform.scale,
        offset=(composition.transform.tx, composition.transform.ty),
        straightened_degrees=source.straightened_degrees,
        upscaled=composition.upscaled,
        capped=composition.capped and not preset.native,
        enlargement=composition.enlargement,
        digital_source_type=source_type,
        timings=timings,
    )


def _canvas(preset: Preset, placement: Placement, box: Box) -> tuple[int, int, Placement]:
    """Canvas size and final placement; a native-size preset takes its canvas from the product."""
    if preset.width is not None and preset.height is not None:
        return preset.width, preset.height, placement
    pad = max(1, round((preset.margin or 0.0) * max(box.width, box.height)))
    # The whole canvas is asked for and the limit of 1.0 holds the product at exactly its own size.
    native = placement.model_copy(
        update={"fill": None, "margin": 0.0, "upscale_limit": 1.0, "alignment": "center", "ground": None}
    )
    return box.width + 2 * pad, box.height + 2 * pad, native


def _making(
    source: Source,
    ground: Scene,
    preset: Preset,
    composition: Composition,
    source_type: DigitalSourceType | None,
) -> Making:
    backdrop = source.backdrop if isinstance(ground, BackdropScene) else None
    return Making(
        title=f"{preset.name}.{preset.extension}",
        original=source.photo.source,
        own_cutout=source.photo.alpha is not None,
        ground=ground.kind,
        backdrop=None if backdrop is None else backdrop.source,
        scale=composition.transform.scale,
        straightened_degrees=source.straightened_degrees,
        relit=composition.relight is not None,
        digital_source_type=source_type,
    )


def _growth(signer: PictureSigner | None, preset: Preset, making: Making) -> int:
    """Bytes to leave for the signature; 0 where nobody asks how large the file is."""
    if signer is None or (preset.max_bytes is None and preset.min_bytes is None):
        return 0
    return signer.growth(preset.format, making)


def _encoded(
    preset: Preset, composition: Composition, source_type: DigitalSourceType | None, growth: int
) -> Encoded:
    budget = Budget(
        quality=preset.quality,
        lowest_quality=preset.lowest_quality,
        max_bytes=preset.max_bytes,
        min_bytes=preset.min_bytes,
        chroma=preset.chroma,
        effort=preset.effort,
    )
    return encode_within(
        composition.pixels,
        preset.format,
        budget.leaving(growth) if growth else budget,
        dpi=preset.dpi,
        progressive=preset.progressive,
        metadata=PictureMetadata(digital_source_type=source_type),
    )


def _done_for_bytes(picture: Picture) -> tuple[str, ...]:
    """What gave way to the byte budget, in words."""
    preset = picture.preset
    height, width = picture.composition.alpha.shape
    if preset.native or (width, height) == (preset.width, preset.height):
        return picture.encoded.done
    size = f"size lowered from {preset.width} × {preset.height} to {width} × {height}"
    return (*picture.encoded.done, size)
