"""The process that quantises, so that NNCF's memory, output and usage statistics stay out of Opal's own.

Started by `optimize.py` as `python -m opal.cutout.quantise_process` with a `QuantiseTask` as JSON on stdin.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from opal.cutout.isnet import FORM
from opal.cutout.network import open_network
from opal.images.decode import decode_photo


class QuantiseTask(BaseModel):
    """What to quantise, on which photos, and the `.xml` to write."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path
    photos: tuple[Path, ...]
    target: Path


class _Tensors:
    """The photos as the network wants them, decoded each time: twelve megabytes each are too many to keep."""

    def __init__(self, photos: tuple[Path, ...]) -> None:
        self._photos = photos

    def __len__(self) -> int:
        return len(self._photos)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for photo in self._photos:
            yield FORM.tensor(decode_photo(photo).pixels)


def quantise(task: QuantiseTask) -> None:
    """Quantise weights and activations to 8 bits after training (NNCF); writes the network's two files."""
    import nncf  # noqa: PLC0415 - an optional requirement

    tensors = _Tensors(task.photos)
    made = nncf.quantize(
        open_network(task.source, FORM.side),
        nncf.Dataset(tensors),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(tensors),
    )
    openvino.save_model(made, str(task.target), compress_to_fp16=True)


if __name__ == "__main__":
    quantise(QuantiseTask.model_validate_json(sys.stdin.buffer.read()))
