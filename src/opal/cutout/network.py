"""A segmentation network on OpenVINO, and the engine that makes mattes with one.

Every network here takes the whole photo squeezed into a square and answers per pixel how sure it is that it
shows the product. `isnet.py` and `onnx_file.py` say which network, and what its input looks like.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np
import openvino
from numpy.typing import NDArray

from opal.cutout.confidence import judge
from opal.cutout.interface import Cutout, EngineInfo
from opal.cutout.refine import refine, resize_exactly
from opal.errors import NoProductFound
from opal.images.photo import Photo

VERSION = "1"
"""Raised whenever the same photo would get another matte."""

# Below this share of the frame there is no product, only a few pixels that the network liked.
_LEAST_SHARE = 2e-4


@dataclass(frozen=True, slots=True)
class NetworkForm:
    """What a network wants and gives: `side` pixels square, per channel (code / 255 − mean) / std."""

    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    output: Literal["probability", "logits"] = "probability"
    """`logits` are put through the logistic function first."""

    def tensor(self, photo: Photo) -> NDArray[np.float32]:
        """The photo as the network wants it, (1, 3, side, side)."""
        image = photo.pixels if photo.pixels.format == "uchar" else photo.pixels.colourspace("srgb")
        squeezed: NDArray[np.uint8] = resize_exactly(image, self.side, self.side).numpy()
        mean, std = (np.array(each, np.float32) * np.float32(255.0) for each in (self.mean, self.std))
        tensor = (squeezed.astype(np.float32) - mean) / std
        return np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])

    def prediction(self, answer: NDArray[np.floating]) -> NDArray[np.float32]:
        """The network's answer, however many dimensions it has, as (side, side), 0 ground .. 1 product."""
        square: NDArray[np.float32] = answer.reshape(self.side, self.side).astype(np.float32)
        if self.output == "logits":
            # The logistic function by its tangent form, which cannot overflow.
            square = np.float32(0.5) * (np.float32(1.0) + np.tanh(square * np.float32(0.5)))
        prediction: NDArray[np.float32] = np.clip(square, 0.0, 1.0)
        return prediction


def open_network(path: Path, side: int) -> openvino.Model:
    """Read an ONNX or OpenVINO file, its first output only, for one picture of `side` pixels square.

    The training's side outputs are cut off, so that they are neither computed nor kept. Raises RuntimeError
    for what OpenVINO cannot read, or cannot bring to that size.
    """
    model = openvino.Core().read_model(path)
    only = openvino.Model([model.output(0)], model.get_parameters(), path.stem)
    wanted = openvino.PartialShape([1, 3, side, side])
    if only.input().get_partial_shape() != wanted:
        only.reshape(wanted)
    return only


class NetworkEngine:
    """One loaded network; calls from several threads take turns, each using all its CPU threads."""

    def __init__(
        self, info: EngineInfo, model: openvino.Model, form: NetworkForm, *, cache: Path, threads: int = 0
    ) -> None:
        """Compile the network; `threads` 0 uses all cores.

        The compiled network is kept in the folder `cache`, which makes the next start three times as fast.
        """
        self._info, self._form = info, form
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "CACHE_DIR": str(cache),
        }
        self._network = openvino.Core().compile_model(model, "CPU", options)
        self._turn = Lock()

    @property
    def info(self) -> EngineInfo:
        """Which weights these are."""
        return self._info

    def cut_out(self, photo: Photo) -> Cutout:
        """The product's matte, (photo.height, photo.width).

        A photo that brings its own cut-out keeps it. Raises NoProductFound when nothing stands out.
        """
        if photo.alpha is not None:
            own = photo.alpha.numpy().astype(np.float32) / np.float32(255.0)
            return Cutout(own, confidence=1.0, reasons=("The file's own transparency was used.",))
        started = time.perf_counter()
        prediction = self.predict(photo)
        predicted = time.perf_counter()
        if (prediction > 0.5).mean() < _LEAST_SHARE:
            raise NoProductFound
        refined = refine(prediction, photo)
        if not (refined.matte > 0.5).any():
            raise NoProductFound
        confidence, reasons = judge(prediction, refined)
        done = time.perf_counter()
        timings = {"network": round(predicted - started, 4), "refine": round(done - predicted, 4)}
        return Cutout(refined.matte, confidence, reasons, timings)

    def predict(self, photo: Photo) -> NDArray[np.float32]:
        """The network's answer, (side, side), 0 ground .. 1 product."""
        tensor = self._form.tensor(photo)
        with self._turn:
            answer = self._network(tensor)[0]
        return self._form.prediction(answer)
