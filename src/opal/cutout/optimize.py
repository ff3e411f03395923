"""Makes `isnet-int8` on this machine: calibrates on photos, measures the loss on others, keeps or refuses it.

Called by `opal models optimize`.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from opal.cutout.compute import Compute
from opal.cutout.interface import Cutout
from opal.cutout.isnet import load_isnet, open_quantised
from opal.cutout.models import model_spec, verify_model
from opal.cutout.quantise_process import QuantiseTask
from opal.cutout.quantised import BOUND, NAME, SOURCE, QuantisedRecord, combined_hash, files, keep
from opal.decoder.pictures import decode_photo
from opal.errors import InvalidInput, InvalidPhoto, NoProductFound, OpalError
from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.settings import child_environment

LEAST, MOST = 4, 48
"""Photos that are needed, and that are used at most."""
_HELD_OUT = 3  # every third photo is measured on, the others calibrate


class OptimizerMissing(OpalError):
    """NNCF, which quantises networks, is not installed.

    Install it beside Opal: `pip install --no-deps --require-hashes -r requirements/optimize.txt`.
    """

    code: ClassVar[str] = "optimizer_missing"
    title: ClassVar[str] = "Optimizer missing"
    expected: ClassVar[bool] = True


class OptimizingFailed(OpalError):
    """NNCF ended with an error.

    Its own output, above, says why. Nothing was changed.
    """

    code: ClassVar[str] = "optimizing_failed"
    title: ClassVar[str] = "Optimizing failed"


class AccuracyLost(OpalError):
    """The quantised network differs from the original by more than the bound.

    It was not kept. Calibrate on more photos like those you process, or allow more with `--bound`.
    """

    code: ClassVar[str] = "accuracy_lost"
    title: ClassVar[str] = "Accuracy lost"
    expected: ClassVar[bool] = True


class CutsOut(Protocol):
    """As much of an engine as measuring needs."""

    def cut_out(self, photo: Photo) -> Cutout:
        """The product's matte."""
        ...


def optimize(
    photos: Sequence[Path],
    models_dir: Path,
    *,
    bound: float = BOUND,
    threads: int = 0,
    say: Callable[[str], None] = lambda _: None,
    quantise: Callable[[QuantiseTask], None] | None = None,
) -> QuantisedRecord:
    """Quantise IS-Net on `photos` and keep the result when its mattes differ by at most `bound` on average.

    A third of the photos is held out and measured on. `quantise` stands for NNCF's process. Raises
    InvalidInput for too few photos, OptimizerMissing, OptimizingFailed, AccuracyLost, ModelMissing and
    ModelCorrupt. What was made before stays until the new one is good.
    """
    if quantise is None and find_spec("nncf") is None:
        raise OptimizerMissing
    source = verify_model(model_spec(SOURCE), models_dir)
    calibrate, held_out = split([photo for photo in spread(photos, MOST) if _usable(photo, say)])
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-", dir=models_dir) as folder:
        made_in = Path(folder)
        say(f"Quantising on {len(calibrate)} photos; this takes a minute or two.")
        (quantise or _in_own_process)(
            QuantiseTask(source=source, photos=tuple(calibrate), target=files(made_in)[0])
        )
        sha256 = combined_hash(made_in)
        compute = Compute(threads)
        original = load_isnet(model_spec(SOURCE), models_dir, compute)
        quantised = open_quantised(made_in, sha256, compute)
        losses = measure_loss(original, quantised, held_out, say)
        record = QuantisedRecord(
            sha256=sha256,
            source_sha256=model_spec(SOURCE).sha256,
            made_at=datetime.now(UTC),
            photos=len(calibrate),
            held_out=len(losses),
            lost=round(sum(losses) / len(losses), 6),
            worst=round(max(losses), 6),
            bound=bound,
        )
        if record.lost > bound:
            raise AccuracyLost(
                f"Mattes differ by {record.lost:.4f} on average (worst {record.worst:.4f}), more than "
                f"{bound}; {NAME} was not kept. Calibrate on more photos like yours, or raise --bound."
            )
        keep(made_in, models_dir, record)
    return record


def spread(photos: Sequence[Path], most: int) -> list[Path]:
    """At most `most` of the photos, evenly spread over the list."""
    if len(photos) <= most:
        return list(photos)
    return [photos[int(number * len(photos) / most)] for number in range(most)]


def split(photos: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Photos to calibrate on, and those held out; raises InvalidInput for fewer than `LEAST`."""
    if len(photos) < LEAST:
        raise InvalidInput(f"At least {LEAST} photos are needed, {len(photos)} can be used.")
    held_out = list(photos[_HELD_OUT - 1 :: _HELD_OUT])
    return [photo for photo in photos if photo not in held_out], held_out


def measure_loss(
    original: CutsOut, quantised: CutsOut, photos: Sequence[Path], say: Callable[[str], None]
) -> list[float]:
    """Mean absolute difference of both engines' mattes, photo by photo; 1.0 where only one finds a product.

    Raises InvalidInput when neither finds one in any photo.
    """
    losses = []
    for path in photos:
        photo = decode_photo(path)
        theirs, ours = _matte(original, photo), _matte(quantised, photo)
        if theirs is None and ours is None:
            continue
        lost = 1.0 if theirs is None or ours is None else float(np.abs(theirs - ours).mean())
        say(f"{path.name}: mattes differ by {lost:.4f}")
        losses.append(lost)
    if not losses:
        raise InvalidInput("No product was found in any of the photos held out; nothing could be measured.")
    return losses


def _matte(engine: CutsOut, photo: Photo) -> Matte | None:
    try:
        return engine.cut_out(photo).matte
    except NoProductFound:
        return None


def _usable(path: Path, say: Callable[[str], None]) -> bool:
    """Whether a photo can be decoded and has no cut-out of its own, which no network would see."""
    try:
        photo = decode_photo(path)
    except InvalidPhoto as error:
        say(f"{path.name} is left out: {error.message}")
        return False
    return photo.alpha is None


def _in_own_process(task: QuantiseTask) -> None:
    # NNCF sends usage statistics to its maker unless it believes to run in CI; Opal sends nothing anywhere.
    done = subprocess.run(
        [sys.executable, "-m", "opal.cutout.quantise_process"],
        input=task.model_dump_json().encode(),
        stdout=sys.stderr.fileno(),
        env=child_environment({"NNCF_CI": "1"}),
        check=False,
    )
    if done.returncode != 0:
        raise OptimizingFailed(f"NNCF ended with exit code {done.returncode}.")
