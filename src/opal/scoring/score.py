"""The placement endpoint's functions: ``init()`` loads models, ``run()`` scores one request.

``run_cut_out()`` answers the smaller kind of request; ``app.py`` serves both. Read ``run`` from top to
bottom: it is one photo's way through the endpoint.
"""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opal.cutout.compute import Compute
from opal.cutout.engines import load_engine, verify_engine
from opal.cutout.interface import Cutout, CutoutEngine
from opal.cutout.offer import OfferedEngine, offered_engines
from opal.decoder.client import start_decoder
from opal.decoder.pictures import decode_photo
from opal.errors import BackdropUnusable, BlobNotFound, PhotoTooLarge
from opal.images.limits import Limits
from opal.images.matte import encode_matte
from opal.images.photo import Photo
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse
from opal.messages.scoring_contract import (
    ModelUsed,
    ScoreMeta,
    ScoreRequest,
    ScoreResponse,
)
from opal.placement.backdrop import decode_backdrop
from opal.placement.placement import resolve_placement
from opal.placement.scene import DEFAULT_SCENE, BackdropScene, Scene, resolve_scene
from opal.placement.scene_picture import ScenePicture, make_scene_picture
from opal.scoring.cut_out import cut_out
from opal.scoring.engine_shelf import EngineShelf
from opal.scoring.pictures import PictureClient
from opal.settings import Settings, load_settings
from opal.telemetry.metrics import STEP_SECONDS
from opal.telemetry.tracing import span


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What ``init`` prepares and every ``run`` uses."""

    engines: EngineShelf
    limits: Limits
    pictures: PictureClient


class _Endpoint:
    loaded: _Loaded | None = None


def init(settings: Settings | None = None) -> None:
    """Load the default engine and see that the others are there.

    Raises UnknownEngine, ModelMissing, ModelCorrupt and EngineFileInvalid.
    """
    settings = settings or load_settings()
    start_decoder()
    photo, scoring = settings.photo, settings.scoring
    compute = Compute.of(scoring)

    def load(engine: OfferedEngine) -> CutoutEngine:
        return load_engine(engine.source, settings.models_dir, compute)

    offered = offered_engines(scoring.engine, scoring.further_engines)
    for engine in offered[1:]:
        # Better now than at the first photo that asks for it.
        verify_engine(engine.source, settings.models_dir)
    shelf = EngineShelf(offered, load)
    _Endpoint.loaded = _Loaded(shelf, Limits.of(photo), PictureClient(photo.max_bytes))


def run(request: ScoreRequest) -> ScoreResponse:
    """Score one photo: fetch, cut out, place, measure, store.

    Raises InvalidInput for what the request or the photo is (UnknownEngine where it wants an engine that is
    not offered), and DependencyError for pictures that cannot be
    fetched or stored.
    """
    assert _Endpoint.loaded is not None, "init() comes first"
    limits, pictures = _Endpoint.loaded.limits, _Endpoint.loaded.pictures
    timings: dict[str, float] = {}
    engine = _Endpoint.loaded.engines.engine(request.engine)
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
    made = make_scene_picture(photo, cutout.matte, scene, placement, seed=request.seed, backdrop=backdrop)
    with _timed(timings, "encode"):
        matte_png = encode_matte(cutout.matte)
    with _timed(timings, "store"):
        if request.output_sas is not None:
            pictures.store(request.output_sas.scene, made.png)
            pictures.store(request.output_sas.matte, matte_png)
    # Both pictures are encoded.
    encode_s = round(timings["encode"] + made.timings["encode"], 4)
    timings |= cutout.timings | made.timings | {"encode": encode_s}
    for step, seconds in timings.items():
        STEP_SECONDS.labels("scoring", step).observe(seconds)
    meta = _meta(engine, photo, cutout, made, timings)
    if request.output_sas is not None:
        return ScoreResponse(meta=meta)
    return ScoreResponse(image_bytes_b64=_base64(made.png), matte_bytes_b64=_base64(matte_png), meta=meta)


def run_cut_out(request: CutoutRequest) -> CutoutResponse:
    """Only cut a photo out. Raises InvalidInput for what the request or the photo is."""
    assert _Endpoint.loaded is not None, "init() comes first"
    return cut_out(request, _Endpoint.loaded.engines.engine(None), _Endpoint.loaded.limits)


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


def _meta(
    engine: CutoutEngine, photo: Photo, cutout: Cutout, made: ScenePicture, timings: dict[str, float]
) -> ScoreMeta:
    used = ModelUsed(name=engine.info.model, sha256=engine.info.sha256)
    return ScoreMeta(
        **made.facts(),
        # A photo that brought its own cut-out was seen by no network.
        cutout_engine=None if photo.alpha is not None else engine.info.name,
        cutout_version=None if photo.alpha is not None else engine.info.version,
        models=[] if photo.alpha is not None else [used],
        # No scene of this engine is painted from words.
        prompt_used="",
        photo_width=photo.width,
        photo_height=photo.height,
        photo_halved=photo.source.halved,
        confidence=cutout.confidence,
        confidence_reasons=list(cutout.reasons),
        timings=timings,
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    with span(step):
        yield
    timings[step] = round(time.perf_counter() - started, 4)
