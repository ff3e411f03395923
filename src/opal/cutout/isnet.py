"""IS-Net on OpenVINO: the network's own guess, refined to a matte at the photo's resolution.

IS-Net is from X. Qin et al., "Highly Accurate Dichotomous Image Segmentation", ECCV 2022. It takes the whole
photo squeezed into 1024 × 1024 and answers per pixel how sure it is that it shows the product.
"""

import time
from pathlib import Path
from threading import Lock

import numpy as np
import openvino
from numpy.typing import NDArray

from opal.cutout.confidence import judge
from opal.cutout.interface import Cutout, EngineInfo
from opal.cutout.models import ModelSpec
from opal.cutout.refine import refine, resize_exactly
from opal.errors import NoProductFound
from opal.images.photo import Photo

VERSION = "1"
"""Raised whenever the same photo would get another matte."""

_SIDE = 1024
# How the published weights want their input: codes less 128, over 256.
_MEAN, _SPAN = np.float32(128.0), np.float32(256.0)
# Below this share of the frame there is no product, only a few pixels that the network liked.
_LEAST_SHARE = 2e-4


class IsnetEngine:
    """One loaded network; calls from several threads take turns, each using all its CPU threads."""

    def __init__(self, spec: ModelSpec, path: Path, *, threads: int = 0) -> None:
        """Load and compile the weights; `threads` 0 uses all cores.

        The compiled network is kept beside the weights, which makes the next start three times as fast.
        """
        self._info = EngineInfo(name="isnet", version=VERSION, model=spec.name, sha256=spec.sha256)
        core = openvino.Core()
        core.set_property({"CACHE_DIR": str(path.parent / "compiled")})
        model = core.read_model(path)
        # The training's side outputs are cut off, so that they are neither computed nor kept.
        only = openvino.Model([model.output(0)], model.get_parameters(), "isnet")
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        self._network = core.compile_model(only, "CPU", options)
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
        """The network's answer, (1024, 1024), 0 ground .. 1 product."""
        image = photo.pixels if photo.pixels.format == "uchar" else photo.pixels.colourspace("srgb")
        squeezed: NDArray[np.uint8] = resize_exactly(image, _SIDE, _SIDE).numpy()
        tensor = ((squeezed.astype(np.float32) - _MEAN) / _SPAN).transpose(2, 0, 1)[None]
        with self._turn:
            answer = self._network(np.ascontiguousarray(tensor))[0]
        prediction: NDArray[np.float32] = np.clip(answer.reshape(_SIDE, _SIDE), 0.0, 1.0)
        return prediction
