"""The placement endpoint's functions: ``init()`` loads models, ``run()`` scores one request.

``run_cut_out()`` answers the smaller kind of request; ``app.py`` serves both. Read ``run`` from top to
bottom: it is one photo's way through the endpoint.
"""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.cutout.compute import Compute
from opal.cutout.engines import load_engine
from opal.cutout.interface import Cutout, CutoutEngine
from opal.decoder.client import start_decoder
from opal.decoder.pictures import decode_photo
from opal.errors import BackdropUnusable, BlobNotFound, PhotoTooLarge
from opal.fidelity import Fidelity, measure
from opal.images.encode import encode
from opal.images.finished import read_finished
from opal.images.limits import Limits
from opal.images.matte import encode_matte
from opal.images.metadata import PictureMetadata
from opal.images.photo import Photo
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse
from opal.messages.scoring_contract import (
    BackdropUsed,
    ModelUsed,
    ProductBox,
    ScoreMeta,
    ScoreRequest,
    ScoreResponse,
    Transform,
)
from opal.placement.backdrop import decode_backdrop
from opal.placement.engines import engine_for
from opal.placement.place import Composition, compose
from opal.placement.placement import resolve_placement
from opal.placement.product import Product
from opal.placement.provenance import digital_source_type
from opal.placement.scene import DEFAULT_SCENE, BackdropScene, Scene, resolve_scene
from opal.placement.upright import Upright, upright
from opal.scoring.cut_out import cut_out
from opal.scoring.pictures import PictureClient
from opal.settings import Settings, load_settings
from opal.telemetry.metrics import STEP_SECONDS
from opal.telemetry.tracing import span

SCENE_SIDE = 2048
"""Longest side of the scene picture, pixels. It is the item's preview; every variant is composed anew
from the photo at the variant's own size."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What ``init`` prepares and every ``run`` uses."""

    engine: CutoutEngine
    limits: Limits
    pictures: PictureClient


class _Endpoint:
    loaded: _Loaded | None = None


def init(settings: Settings | None = None) -> None:
    """Load the models; raises UnknownEngine, ModelMissing and ModelCorrupt."""
    settings = settings or load_settings()
    start_decoder()
    photo, scoring = settings.photo, settings.scoring
    engine = load_engine(scoring.engine, settings.models_dir, Compute.of(scoring))
    _Endpoint.loaded = _Loaded(engine, Limits.of(photo), PictureClient(photo.max_bytes))


def run(request: ScoreRequest) -> ScoreResponse:
    """Score one photo: fetch, cut out, place, measure, store.

    Raises InvalidInput for what the request or the photo is, and DependencyError for pictures that cannot be
    fetched or stored.
    """
    assert _Endpoint.loaded is not None, "init() comes first"
    engine, limits, pictures = (
        _Endpoint.loaded.engine,
        _Endpoint.loaded.limits,
        _Endpoint.loaded.pictures,
    )
    timings: dict[str, float] = {}
    scene = resolve_scene(request.scene if request.scene is not None else DEFAULT_SCENE)
    placement = resolve_placement(request.placement)
    with _timed(timings, "fetch"):
        source = pictures.fetch(request.input_image_sas)
    with _timed(timings, "decode"):
        photo = decode_photo(source, limits)
    with _timed(timings, "backdrop"):
        backdrop = _backdrop(request, scene)
    with span("cut_out"):
        cutout = engine.cut_out(photo)
    with _timed(timings, "straighten"):
        subject = upright(photo, cutout.matte, placement)
        product = Product.of(subject.photo, subject.matte)
    width, height = scene_size(photo)
    with span("compose"):
        made = compose(product, scene, placement, width, height, seed=request.seed, backdrop=backdrop)
    with _timed(timings, "encode"):
        source_type = digital_source_type(scene, backdrop)
        scene_png = encode(made.pixels, "png", metadata=PictureMetadata(digital_source_type=source_type))
        matte_png = encode_matte(cutout.matte)
    with _timed(timings, "fidelity"):
        fidelity = _measured(read_finished(scene_png).pixels, made, subject)
    with _timed(timings, "store"):
        if request.output_sas is not None:
            pictures.store(request.output_sas.scene, scene_png)
            pictures.store(request.output_sas.matte, matte_png)
    timings |= cutout.timings | made.timings
    for step, seconds in timings.items():
        STEP_SECONDS.labels("scoring", step).observe(seconds)
    meta = _meta(engine, photo, scene, backdrop, cutout, subject, made, fidelity, timings)
    if request.output_sas is not None:
        return ScoreResponse(meta=meta)
    return ScoreResponse(image_bytes_b64=_base64(scene_png), matte_bytes_b64=_base64(matte_png), meta=meta)


def run_cut_out(request: CutoutRequest) -> CutoutResponse:
    """Only cut a photo out. Raises InvalidInput for what the request or the photo is."""
    assert _Endpoint.loaded is not None, "init() comes first"
    return cut_out(request, _Endpoint.loaded.engine, _Endpoint.loaded.limits)


def _backdrop(request: ScoreRequest, scene: Scene) -> Photo | None:
    """The picture of a `backdrop` scene; raises BackdropUnusable, so that the photo is not blamed for it."""
    assert _Endpoint.loaded is not None
    if not isinstance(scene, BackdropScene):
        return None
    if request.backdrop_image_sas is None:
        raise BackdropUnusable("backdrop_image_sas: needed for a backdrop scene.")
    try:
        data = _Endpoint.loaded.pictures.fetch(request.backdrop_image_sas, "backdrop_image_sas")
    except (BlobNotFound, PhotoTooLarge) as error:
        raise BackdropUnusable(f"The backdrop cannot be fetched: {error.message}") from error
    return decode_backdrop(data, _Endpoint.loaded.limits)


def _backdrop_used(backdrop: Photo | None, made: Composition) -> BackdropUsed | None:
    if backdrop is None or made.enlargement is None:
        return None
    return BackdropUsed(
        sha256=backdrop.source.sha256,
        width=backdrop.width,
        height=backdrop.height,
        enlargement=round(made.enlargement, 4),
    )


def scene_size(photo: Photo) -> tuple[int, int]:
    """Width and height of the scene picture: the photo's, its longer side at most ``SCENE_SIDE``."""
    scale = min(1.0, SCENE_SIDE / max(photo.width, photo.height))
    return max(1, round(photo.width * scale)), max(1, round(photo.height * scale))


def _measured(pixels: NDArray[np.uint8], made: Composition, subject: Upright) -> Fidelity:
    return measure(
        pixels,
        made.reference,
        made.alpha,
        made.product_box,
        matte=subject.matte,
        transform=made.transform,
        relight=made.relight,
    )


def _meta(  # noqa: PLR0917 - everything that is known about one picture comes together here
    engine: CutoutEngine,
    photo: Photo,
    scene: Scene,
    backdrop: Photo | None,
    cutout: Cutout,
    subject: Upright,
    made: Composition,
    fidelity: Fidelity,
    timings: dict[str, float],
) -> ScoreMeta:
    painter = engine_for(scene.kind)
    used = ModelUsed(name=engine.info.model, sha256=engine.info.sha256)
    box = made.product_box
    height, width = made.alpha.shape
    return ScoreMeta(
        engine=painter.name,
        engine_version=painter.version,
        # A photo that brought its own cut-out was seen by no network.
        cutout_engine=None if photo.alpha is not None else engine.info.name,
        cutout_version=None if photo.alpha is not None else engine.info.version,
        models=[] if photo.alpha is not None else [used],
        seed=made.seed,
        # No scene of this engine is painted from words.
        prompt_used="",
        photo_width=photo.width,
        photo_height=photo.height,
        photo_halved=photo.source.halved,
        canvas_width=width,
        canvas_height=height,
        product_box=ProductBox(left=box.left, top=box.top, width=box.width, height=box.height),
        transform=Transform(scale=made.transform.scale, tx=made.transform.tx, ty=made.transform.ty),
        capped=made.capped,
        straightened_degrees=subject.degrees,
        upscaled=made.upscaled,
        backdrop=_backdrop_used(backdrop, made),
        fidelity=fidelity.model_dump(mode="json"),
        confidence=cutout.confidence,
        confidence_reasons=list(cutout.reasons),
        timings=timings,
        digital_source_type=digital_source_type(scene, backdrop),
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    with span(step):
        yield
    timings[step] = round(time.perf_counter() - started, 4)
