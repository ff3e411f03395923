"""`isnet-int8`: IS-Net with 8-bit arithmetic, made on this machine by `opal models optimize`.

Its files lie in the models folder beside a record of what they were made from and what was lost. The record
is written last, so half-made files are never found, and its hash is checked before every load.
"""

import hashlib
import os
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from opal.cutout.models import model_spec
from opal.errors import ModelCorrupt, ModelMissing

NAME = "isnet-int8"
SOURCE = "isnet"
BOUND = 0.004
"""Largest mean difference of mattes, 0..1, at which it is kept unless another bound is asked for."""


class QuantisedRecord(BaseModel):
    """What is known about the quantised network on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    """Of the network's two files, one after the other."""
    source_sha256: str
    made_at: datetime
    photos: int
    """Photos it was calibrated on."""
    held_out: int
    """Other photos that the loss was measured on."""
    lost: float
    """Mean absolute difference of its mattes from the source's, mean over the held-out photos, 0..1."""
    worst: float
    """The same for the worst of them."""
    bound: float
    """The largest mean difference that was allowed."""


def files(models_dir: Path) -> tuple[Path, Path]:
    """Where the network's structure and its weights lie."""
    return models_dir / f"{NAME}.xml", models_dir / f"{NAME}.bin"


def read_record(models_dir: Path) -> QuantisedRecord | None:
    """The record, or None when nothing was made; raises ModelCorrupt when it cannot be read."""
    path = _record_path(models_dir)
    try:
        return QuantisedRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ModelCorrupt(f"{path} is damaged; run `opal models optimize` again.") from error


def verify_quantised(models_dir: Path) -> QuantisedRecord:
    """The record of files that are whole and made from the present weights.

    Raises ModelMissing and ModelCorrupt.
    """
    record = read_record(models_dir)
    if record is None:
        raise ModelMissing(f"{NAME} is not in {models_dir}; run `opal models optimize`.")
    if record.source_sha256 != model_spec(SOURCE).sha256:
        raise ModelMissing(f"{NAME} was made from other weights; run `opal models optimize` again.")
    if combined_hash(models_dir) != record.sha256:
        raise ModelCorrupt(f"{NAME} in {models_dir} is damaged; run `opal models optimize` again.")
    return record


def keep(made_in: Path, models_dir: Path, record: QuantisedRecord) -> None:
    """Move the two files from `made_in`, on the same disk, into the models folder, then write the record."""
    target = _record_path(models_dir)
    target.unlink(missing_ok=True)
    for made, kept in zip(files(made_in), files(models_dir), strict=True):
        made.replace(kept)
    unfinished = target.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(record.model_dump_json(indent=2) + "\n", "utf-8")
    unfinished.replace(target)


def combined_hash(folder: Path) -> str:
    """sha256 of structure and weights, one after the other; of what is there when one is missing."""
    digest = hashlib.sha256()
    for path in files(folder):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _record_path(models_dir: Path) -> Path:
    return models_dir / f"{NAME}.json"
