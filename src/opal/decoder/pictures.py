"""Strangers' pictures: the functions of ``opal.images`` that read them, each in a bounded process of its own.

Called by every service and command that is given a picture; only what Opal wrote itself is decoded at home.
They block, so an event loop calls them in a thread.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import pyvips
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from opal.decoder import anonymous_file
from opal.decoder.client import Decoder, shared
from opal.errors import PhotoUndecodable
from opal.images.existing import ExistingFacts, ExistingPicture, to_existing
from opal.images.facts import PictureFacts
from opal.images.limits import Header, Limits, read_source
from opal.images.photo import Photo, SourceInfo

_T = TypeVar("_T")
_HEADER = TypeAdapter(Header)
_SOURCE = TypeAdapter(SourceInfo)
_FACTS = TypeAdapter(PictureFacts)
_EXISTING = TypeAdapter(ExistingFacts)


class _Plane(BaseModel):
    """The form of pixels that came back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(ge=1)
    height: int = Field(ge=1)
    bands: int = Field(ge=1, le=3)
    format: Literal["uchar", "ushort"]
    interpretation: Literal["srgb", "rgb16", "b-w"]
    xres: float
    yres: float

    @property
    def size(self) -> int:
        return self.width * self.height * self.bands * (2 if self.format == "ushort" else 1)


def probe(data: bytes, limits: Limits, decoder: Decoder | None = None) -> Header:
    """As `images.limits.probe`. Raises DecoderUnavailable as well, as all here do."""
    read_source(data, limits)
    return _believed(_HEADER, (decoder or shared()).ask("header", data, limits))


def decode_photo(
    source: bytes | Path,
    limits: Limits | None = None,
    *,
    unblemished: bool = False,
    decoder: Decoder | None = None,
) -> Photo:
    """As `images.decode.decode_photo`: the same pixels, to the bit."""
    limits = limits or Limits()
    data = read_source(source, limits)
    with outputs() as files:
        options = {"unblemished": unblemished}
        answer = (decoder or shared()).ask("photo", data, limits, options, files)
        return _photo(answer, files)


def read_existing(data: bytes, limits: Limits, decoder: Decoder | None = None) -> ExistingPicture:
    """Any picture, both as it is and as a photo to cut out; see `images.existing`."""
    read_source(data, limits)
    with outputs() as files:
        answer = (decoder or shared()).ask("existing", data, limits, outputs=files)
        photo = _photo(answer, files)
    return to_existing(photo, _believed(_EXISTING, answer.get("facts")))


def read_facts(data: bytes, limits: Limits, decoder: Decoder | None = None) -> PictureFacts:
    """As `images.facts.read_facts`."""
    read_source(data, limits)
    return _believed(_FACTS, (decoder or shared()).ask("facts", data, limits))


def read_codes(
    data: bytes, width: int, height: int, limits: Limits, decoder: Decoder | None = None
) -> pyvips.Image:
    """As `images.matte.read_codes`, the codes kept in memory."""
    read_source(data, limits)
    with outputs() as files:
        answer = (decoder or shared()).ask("matte", data, limits, {"width": width, "height": height}, files)
        codes = _mapped(answer.get("plane"), files[0])
    if (codes.width, codes.height, codes.bands, codes.format) != (width, height, 1, "uchar"):
        raise PhotoUndecodable
    return codes


@contextlib.contextmanager
def outputs() -> Iterator[tuple[int, int]]:
    """Empty files for pixels and alpha. What is mapped of them outlives their descriptors."""
    with contextlib.ExitStack() as stack:
        descriptors = []
        for _ in range(2):
            descriptors.append(anonymous_file.create())
            stack.callback(os.close, descriptors[-1])
        yield descriptors[0], descriptors[1]


def _photo(answer: Mapping[str, Any], outputs: tuple[int, int]) -> Photo:
    planes = answer.get("planes")
    if not isinstance(planes, Mapping):
        raise PhotoUndecodable
    source = _believed(_SOURCE, answer.get("source"))
    alpha = _mapped(planes["alpha"], outputs[1]) if "alpha" in planes else None
    return Photo(pixels=_mapped(planes.get("pixels"), outputs[0]), alpha=alpha, source=source)


def _mapped(told: Any, output: int) -> pyvips.Image:
    """The image in the file that the child wrote; its memory is the file's."""
    plane = _believed(TypeAdapter(_Plane), told)
    try:
        pixels = anonymous_file.read_back(output, plane.size)
    except (OSError, ValueError) as error:
        raise PhotoUndecodable from error
    image = pyvips.Image.new_from_memory(pixels, plane.width, plane.height, plane.bands, plane.format)
    return image.copy(interpretation=plane.interpretation, xres=plane.xres, yres=plane.yres)


def _believed(kind: "TypeAdapter[_T]", told: Any) -> _T:
    """What a child told, if it has the form that every honest child's answer has."""
    try:
        return kind.validate_python(told)
    except ValidationError as error:
        raise PhotoUndecodable from error
