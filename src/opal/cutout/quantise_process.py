"""The process that quantises, so that NNCF's memory, output and usage statistics stay out of Opal's own.

Started by `optimize.py` as `python -m opal.cutout.quantise_process` with a `QuantiseTask` as JSON on stdin.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from opal.cutout.isnet import FORM
from opal.cutout.network import open_network
from opal.cutout.two_looks import part_to_look_at
from opal.decoder.pictures import decode_photo


class QuantiseTask(BaseModel):
    """What to quantise, on which photos, and the `.xml` to write."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path
    photos: tuple[Path, ...]
    target: Path


# Where rounding costs most: the layer that sees the photo itself and the one that gives the answer.
_KEPT_IN_FLOAT = ["/conv_in.*", ".*side1.*"]


class _Tensors:
    """What the network sees of the photos: each of them whole, and the part of it that holds the product.

    Both squeezed into the square that the network was trained on, not in the sizes of `two_looks.py`.

    Decoded each time: twelve megabytes each are too many to keep.
    """

    def __init__(self, photos: tuple[Path, ...], network: Callable[[NDArray[np.float32]], Any]) -> None:
        self._photos, self._network = photos, network

    def __len__(self) -> int:
        return 2 * len(self._photos)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for path in self._photos:
            photo = decode_photo(path)
            whole = FORM.tensor(photo.pixels)
            yield whole
            part = part_to_look_at(FORM.prediction(self._network(whole)[0]), photo.width, photo.height)
            yield FORM.tensor(photo.pixels.crop(part.left, part.top, part.width, part.height))


def quantise(task: QuantiseTask) -> None:
    """Quantise weights and activations to 8 bits after training (NNCF); writes the network's two files."""
    import nncf  # noqa: PLC0415 - an optional requirement

    network = open_network(task.source, FORM.side)
    single = {"INFERENCE_PRECISION_HINT": "f32"}
    tensors = _Tensors(task.photos, openvino.Core().compile_model(network, "CPU", single))
    made = nncf.quantize(
        network,
        nncf.Dataset(tensors),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(tensors),
        ignored_scope=nncf.IgnoredScope(patterns=_KEPT_IN_FLOAT),
    )
    openvino.save_model(made, str(task.target), compress_to_fp16=True)


if __name__ == "__main__":
    quantise(QuantiseTask.model_validate_json(sys.stdin.buffer.read()))
