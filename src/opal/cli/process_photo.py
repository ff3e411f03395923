"""One photo from file to finished pictures, in this process. Used by `opal process`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opal.cli.file_unusable import file_error
from opal.cli.process_folder import Work
from opal.cli.process_page import thumbnail_path
from opal.cli.report import ReportError, ReportItem, ReportPlaced, ReportRule, ReportVariant, least_faithful
from opal.cli.whole_file import write_whole
from opal.content_credentials.sign import PictureSigner
from opal.cutout.interface import CutoutEngine
from opal.decoder.pictures import decode_photo
from opal.errors import OpalError, StorageFull
from opal.export_worker.create_variants import Variant, create_variants
from opal.images.limits import Limits
from opal.images.matte import encode_matte
from opal.images.photo import Photo
from opal.images.preview import preview, preview_of_file
from opal.items.review import needs_review
from opal.marketplaces.presets import Preset
from opal.placement.placement import Placement
from opal.placement.scene import Scene


@dataclass(frozen=True, slots=True)
class LocalRecipe:
    """What is done with every photo."""

    scene: Scene
    placement: Placement
    presets: Sequence[Preset]
    seed: int
    review_below: float
    """Confidence below which the photo is marked for review; 0 marks none."""
    limits: Limits
    backdrop: Photo | None = None
    signer: PictureSigner | None = None


def process_photo(work: Work, out: Path, engine: CutoutEngine, recipe: LocalRecipe) -> ReportItem:
    """Make every picture of one photo and say how it went; never raises for what the photo is.

    Raises StorageFull.
    """
    started = time.monotonic()
    try:
        made = _make(work, out, engine, recipe)
        status, error = "exported", None
    except OSError as fault:
        told = file_error(fault)
        if isinstance(told, StorageFull):
            # No photo's own fault, and the same for all that would follow.
            raise told from fault
        made, status, error = {}, "failed", ReportError(code=told.code, message=told.message)
    except OpalError as fault:
        made, status, error = {}, "failed", ReportError(code=fault.code, message=fault.message)
    except Exception as fault:  # one photo must not end the others' work
        made, status = {}, "failed"
        error = ReportError(code=OpalError.code, message=f"{type(fault).__name__}: {fault}")
    seconds = round(time.monotonic() - started, 2)
    return ReportItem(source=work.photo.name, status=status, seconds=seconds, error=error, **made)


def _make(work: Work, out: Path, engine: CutoutEngine, recipe: LocalRecipe) -> dict[str, Any]:
    photo = decode_photo(work.photo, recipe.limits)
    cutout = engine.cut_out(photo)
    variants = create_variants(
        photo,
        cutout.matte,
        recipe.scene,
        recipe.placement,
        recipe.presets,
        seed=recipe.seed,
        backdrop=recipe.backdrop,
        signer=recipe.signer,
        file_name=work.photo.name,
    )
    folder = out / work.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "matte.png", encode_matte(cutout.matte))
    (out / thumbnail_path(work.folder)).parent.mkdir(parents=True, exist_ok=True)
    write_whole(out / thumbnail_path(work.folder), preview(photo.pixels, photo.alpha))
    for variant in variants:
        write_whole(folder / _name(variant), variant.data)
        write_whole(out / thumbnail_path(work.folder, variant.preset), preview_of_file(variant.data))
    reported = [_reported(variant, work.folder) for variant in variants]
    return {
        "halved": photo.source.halved,
        "matte": f"{work.folder}/matte.png",
        "confidence": cutout.confidence,
        "confidence_reasons": list(cutout.reasons),
        "review": needs_review(cutout.confidence, recipe.review_below),
        "fidelity": least_faithful(reported),
        "variants": reported,
    }


def _name(variant: Variant) -> str:
    return f"{variant.preset}.{variant.extension}"


def _reported(variant: Variant, folder: str) -> ReportVariant:
    return ReportVariant(
        preset=variant.preset,
        path=f"{folder}/{_name(variant)}",
        width=variant.width,
        height=variant.height,
        bytes=len(variant.data),
        format=variant.format,
        backdrop_enlargement=None if variant.enlargement is None else round(variant.enlargement, 3),
        fidelity=variant.fidelity.model_dump(mode="json"),
        placed=ReportPlaced(
            scale=round(variant.scale, 4),
            upscaled=variant.upscaled,
            capped=variant.capped,
            straightened_degrees=variant.straightened_degrees,
        ),
        compliance=[ReportRule.model_validate(result.model_dump()) for result in variant.compliance],
    )
