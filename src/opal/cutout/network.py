"""A segmentation network on OpenVINO, and the engine that makes mattes with one.

Every network here takes a picture squeezed into its input and answers per pixel how sure it is that it
shows the product. `isnet.py` and `onnx_file.py` say which network, and what its input looks like. One that
takes any size looks twice (`two_looks.py`), one of a fixed size once at the whole photo.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np
import openvino
import openvino.opset11 as opset
import pyvips
from numpy.typing import NDArray

from opal.cutout.compute import Compute
from opal.cutout.confidence import judge, judge_file, judge_own
from opal.cutout.interface import Cutout, EngineInfo
from opal.cutout.refine import refine
from opal.cutout.sight import Sight
from opal.cutout.two_looks import AGAIN_SIZE, first_size, leaves, part_to_look_at, second_size
from opal.errors import NoProductFound
from opal.images.geometry import Box
from opal.images.photo import Photo
from opal.images.resize import resize_to

# Below this confidence the whole photo is looked at again; what comes of that is taken if this share of the
# doubt, or less, is left. Where both find the same (intersection over union), the surer one vouches for it.
_DOUBTFUL, _DOUBT_LEFT, _THE_SAME = 0.8, 1 / 3, 0.95
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
    any_size: bool = False
    """Whether it was opened for any multiple of 64 pixels; `side` is what it was made for."""

    def tensor(self, pixels: pyvips.Image, size: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Upright sRGB pixels (8 or 16 bit) as the network wants them, (1, 3, height, width).

        `size` is width and height, the square by default.
        """
        width, height = size or (self.side, self.side)
        image = pixels if pixels.format == "uchar" else pixels.colourspace("srgb")
        # What is soft here is soft in the answer: a kernel without sharpness cost a tenth of edge error.
        squeezed: NDArray[np.uint8] = resize_to(image, width, height, "lanczos3").numpy()
        tensor = np.empty((1, 3, height, width), np.float32)
        for channel, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            np.subtract(squeezed[..., channel], np.float32(255.0 * mean), out=tensor[0, channel])
            tensor[0, channel] /= np.float32(255.0 * std)
        return tensor

    def prediction(
        self, answer: NDArray[np.floating], size: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """The network's answer, however many dimensions it has, as (height, width), 0 ground .. 1 product."""
        width, height = size or (self.side, self.side)
        square: NDArray[np.float32] = answer.reshape(height, width).astype(np.float32)
        if self.output == "logits":
            # The logistic function by its tangent form, which cannot overflow.
            square = np.float32(0.5) * (np.float32(1.0) + np.tanh(square * np.float32(0.5)))
        prediction: NDArray[np.float32] = np.clip(square, 0.0, 1.0)
        return prediction


def open_network(path: Path, side: int, *, any_size: bool = False) -> openvino.Model:
    """Read an ONNX or OpenVINO file, its first output only, for one picture of `side` pixels square.

    With `any_size` it takes every multiple of 64 pixels each way; only for networks without layers of a fixed
    size. The training's side outputs are cut off, so that they are neither computed nor kept. Raises
    RuntimeError for what OpenVINO cannot read, or cannot bring to that size.
    """
    model = openvino.Core().read_model(path)
    only = openvino.Model([model.output(0)], model.get_parameters(), path.stem)
    wanted = openvino.PartialShape([1, 3, side, side])
    if only.input().get_partial_shape() != wanted:
        only.reshape(wanted)
    if any_size:
        free_sizes(only)
    return only


def free_sizes(model: openvino.Model) -> None:
    """Let a network of a fixed size take others, in place: its enlargements go by factor, not to a size.

    An export writes the sizes of its layers down as numbers, though all of them are shares of the input's.
    """
    for layer in model.get_ops():
        if layer.get_type_name() != "Interpolate":
            continue
        source = layer.input(0).get_source_output()
        before, after = source.get_shape()[2:], layer.output(0).get_shape()[2:]
        factors = np.array([to / of for to, of in zip(after, before, strict=True)], np.float32)
        enlarged = opset.interpolate(
            source,
            opset.constant(factors),
            mode="linear_onnx",
            shape_calculation_mode="scales",
            coordinate_transformation_mode="half_pixel",
            axes=opset.constant(np.array([2, 3], np.int64)),
        )
        for target in layer.output(0).get_target_inputs():
            target.replace_source_output(enlarged.output(0))
    model.get_parameters()[0].set_partial_shape(openvino.PartialShape([1, 3, -1, -1]))
    model.validate_nodes_and_infer_types()


@dataclass(slots=True)
class _Clock:
    """Seconds that one photo spent in the network, looks added up."""

    seconds: float = 0.0


class NetworkEngine:
    """One loaded network; calls from several threads take turns, each using all its CPU threads."""

    def __init__(self, info: EngineInfo, model: openvino.Model, form: NetworkForm, compute: Compute) -> None:
        """Compile the network, which takes about a second."""
        self._info, self._form = info, form
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            # Left to itself OpenVINO takes bfloat16 wherever a processor knows it. Some take twice as long
            # over it as over single precision, and the matte would differ from the next machine's.
            "INFERENCE_PRECISION_HINT": compute.precision,
            "INFERENCE_NUM_THREADS": compute.threads,
            # Nothing compiled is kept on disk: what would be loaded next time were bytes that no hash pins.
            "CACHE_DIR": "",
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
        found = self._find(photo)
        confidence, reasons = judge_file(photo.source, found.confidence, found.reasons)
        return replace(found, confidence=confidence, reasons=reasons)

    def _find(self, photo: Photo) -> Cutout:
        """The cut-out, judged by what is seen in the photo alone."""
        if photo.alpha is not None:
            own = photo.alpha.numpy().astype(np.float32) / np.float32(255.0)
            if not (own > 0.5).any():
                raise NoProductFound
            return Cutout(own, *judge_own(own))
        started = time.perf_counter()
        clock = _Clock()
        sight = self._look(photo, clock)
        drawn = _draw(sight, photo)
        if drawn.confidence < _DOUBTFUL and sight.share < 1.0:
            # A part taken out of its surroundings can be misread; the whole says better what belongs to it.
            drawn = _weigh(drawn, _draw(self._look_again(photo, clock), photo))
        if not (drawn.matte > 0.5).any():
            raise NoProductFound
        done = time.perf_counter()
        timings = {"network": round(clock.seconds, 4), "refine": round(done - started - clock.seconds, 4)}
        return replace(drawn, timings=timings)

    def predict(
        self, pixels: pyvips.Image, size: tuple[int, int] | None = None, clock: _Clock | None = None
    ) -> NDArray[np.float32]:
        """The network's answer for upright sRGB pixels squeezed to `size` (width, height), 0..1.

        Returns (height, width); the network's own square by default.
        """
        tensor = self._form.tensor(pixels, size)
        with self._turn:
            started = time.perf_counter()
            answer = self._network(tensor)[0]
            if clock is not None:
                clock.seconds += time.perf_counter() - started
        return self._form.prediction(answer, size)

    def _look(self, photo: Photo, clock: _Clock) -> Sight:
        """Once at the whole photo; twice where the network takes any size."""
        width, height = photo.width, photo.height
        whole = Box(0, 0, width, height)
        if not self._form.any_size:
            return Sight(self.predict(photo.pixels, None, clock), whole, width, height)
        first = self.predict(photo.pixels, first_size(width, height), clock)
        part = part_to_look_at(first, width, height)
        closely = self._look_at(part, first, photo, clock)
        if leaves(closely.prediction, part, width, height):
            closely = self._look_at(whole, first, photo, clock)
        return closely

    def _look_again(self, photo: Photo, clock: _Clock) -> Sight:
        """At the whole photo, more closely than the first look at it."""
        whole = Box(0, 0, photo.width, photo.height)
        return Sight(self.predict(photo.pixels, AGAIN_SIZE, clock), whole, photo.width, photo.height)

    def _look_at(self, part: Box, first: NDArray[np.float32], photo: Photo, clock: _Clock) -> Sight:
        pixels = photo.pixels.crop(part.left, part.top, part.width, part.height)
        return Sight(self.predict(pixels, second_size(part, first), clock), part, photo.width, photo.height)


def _weigh(drawn: Cutout, again: Cutout) -> Cutout:
    """The close look's cut-out or the other one's; their confidence where they agree."""
    if 1.0 - again.confidence < _DOUBT_LEFT * (1.0 - drawn.confidence):
        return again
    one, other = drawn.matte > 0.5, again.matte > 0.5
    same = np.count_nonzero(one & other) >= _THE_SAME * np.count_nonzero(one | other)
    if same and again.confidence > drawn.confidence:
        return replace(drawn, confidence=again.confidence, reasons=again.reasons)
    return drawn


def _draw(sight: Sight, photo: Photo) -> Cutout:
    """The matte of what was seen; an empty one where there is next to nothing."""
    if (sight.prediction > 0.5).mean() * sight.share < _LEAST_SHARE:
        return Cutout(np.zeros((photo.height, photo.width), np.float32), confidence=0.0)
    part = sight.part
    refined = refine(sight.prediction, photo.pixels.crop(part.left, part.top, part.width, part.height))
    return Cutout(sight.framed(refined.matte), *judge(sight, refined))
