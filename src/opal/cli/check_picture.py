"""One existing picture held against presets, in this process. Used by `opal check`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

from opal.cli.check_report import CheckedPicture, checked_preset
from opal.cli.file_unusable import file_error
from opal.cli.report import ReportError
from opal.cli.whole_file import write_whole
from opal.cutout.interface import Cutout, CutoutEngine
from opal.decoder.pictures import read_existing
from opal.errors import NoProductFound, OpalError
from opal.images.existing import ExistingPicture
from opal.images.limits import Limits, read_source
from opal.images.preview import preview
from opal.items.review import needs_review
from opal.marketplaces.compliance import check
from opal.marketplaces.measurements import PRODUCT_RULES, Placed
from opal.marketplaces.presets import Preset


@dataclass(slots=True)
class LateEngine:
    """A cut-out engine that is loaded when the first picture needs it. Safe for several threads."""

    load: Callable[[], CutoutEngine]
    fault: Exception | None = None
    """What loading it raised."""
    _engine: CutoutEngine | None = None
    _turn: Lock = field(default_factory=Lock)

    def get(self) -> CutoutEngine:
        """The one engine; raises what loading it raises."""
        with self._turn:
            if self.fault is not None:
                raise self.fault
            if self._engine is None:
                try:
                    self._engine = self.load()
                except Exception as fault:
                    self.fault = fault
                    raise
            return self._engine


@dataclass(frozen=True, slots=True)
class Judge:
    """What every picture is held against, and how its product is found."""

    presets: Sequence[Preset]
    engine: LateEngine
    limits: Limits
    review_below: float


@dataclass(frozen=True, slots=True)
class _Found:
    """The product of one picture, as far as the presets need it."""

    picture: CheckedPicture
    placed: Placed


def check_picture(path: Path, judge: Judge, thumbnail: Path | None = None) -> CheckedPicture:
    """Judge one file by every preset, and draw its `thumbnail`; never raises for what the file is.

    Raises what loading the engine raises.
    """
    try:
        return _checked(path, judge, thumbnail)
    except Exception as fault:  # one picture must not end the others' work
        if fault is judge.engine.fault:
            raise
        return CheckedPicture(file=str(path), error=_error(fault))


def _error(fault: Exception) -> ReportError:
    if isinstance(fault, OSError):
        fault = file_error(fault)
    if isinstance(fault, OpalError):
        return ReportError(code=fault.code, message=fault.message)
    return ReportError(code=OpalError.code, message=f"{type(fault).__name__}: {fault}")


def _checked(path: Path, judge: Judge, thumbnail: Path | None) -> CheckedPicture:
    existing = read_existing(read_source(path, judge.limits), judge.limits)
    if thumbnail is not None:
        write_whole(thumbnail, preview(existing.photo.pixels, existing.photo.alpha))
    found = _find(path, existing, judge)
    judged = [
        checked_preset(preset.name, check(existing.finished, preset, found.placed))
        for preset in judge.presets
    ]
    return found.picture.model_copy(update={"presets": judged})


def _find(path: Path, existing: ExistingPicture, judge: Judge) -> _Found:
    finished = existing.finished
    picture = CheckedPicture(
        file=str(path),
        format=finished.format,
        width=finished.width,
        height=finished.height,
        bytes=finished.bytes,
        digital_source_type=finished.digital_source_type,
        product="not looked for",
    )
    placed = Placed(None, None, path.suffix.lower().removeprefix("."), making_known=False)
    if not any(rule.rule in PRODUCT_RULES for preset in judge.presets for rule in preset.rules):
        return _Found(picture, placed)
    if finished.coverage is not None:
        return _Found(picture.model_copy(update={"product": "own transparency"}), placed)
    side = judge.limits.min_side
    if min(finished.width, finished.height) < side:
        too_small = f"It is too small to look for a product in it; that takes {side} pixels a side."
        return _Found(picture, Placed(None, None, placed.extension, making_known=False, unseen=too_small))
    cutout = _cut_out(existing, judge.engine.get())
    seen = picture.model_copy(
        update={
            "product": "cut out",
            "confidence": cutout.confidence,
            "confidence_reasons": list(cutout.reasons),
            "review": needs_review(cutout.confidence, judge.review_below),
        }
    )
    return _Found(seen, Placed(cutout.matte, None, placed.extension, making_known=False))


def _cut_out(existing: ExistingPicture, engine: CutoutEngine) -> Cutout:
    try:
        return engine.cut_out(existing.photo)
    except NoProductFound:
        empty = np.zeros((existing.finished.height, existing.finished.width), np.float32)
        return Cutout(empty, 0.0, ("Nothing in it stands out from the ground.",))
