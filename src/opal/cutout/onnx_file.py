"""An engine from a file of one's own: any ONNX network that rembg could run, described by a TOML beside it.

`/models/u2net.onnx` is described by `/models/u2net.toml`; without one it is taken as an IS-Net export.
docs/models.md has the table of descriptions for well-known networks.
"""

import hashlib
import math
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import openvino
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from opal.cutout.compute import Compute
from opal.cutout.engines import OWN_FILE
from opal.cutout.interface import EngineInfo
from opal.cutout.network import NetworkEngine, NetworkForm, open_network
from opal.errors import InvalidInput, ModelCorrupt, ModelMissing
from opal.faults import first_fault, in_words


class EngineFileInvalid(InvalidInput):
    """A network's file, or its description, cannot be used as an engine.

    The message says what is wrong; docs/models.md says what an engine's file has to be.
    """

    code: ClassVar[str] = "engine_file_invalid"
    title: ClassVar[str] = "Engine file invalid"


_Std = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
_Mean = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class EngineDescription(BaseModel):
    """What the TOML beside an ONNX file may say. The defaults are those of an IS-Net export."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: int = Field(default=1024, ge=32, le=4096, description="The photo is squeezed into this square.")
    mean: tuple[_Mean, _Mean, _Mean] = Field(
        default=(0.5, 0.5, 0.5), description="Taken off each channel, 0 to 1, before dividing by `std`."
    )
    std: tuple[_Std, _Std, _Std] = Field(default=(1.0, 1.0, 1.0), description="Divides each channel.")
    output: Literal["probability", "logits"] = Field(
        default="probability", description="`logits` for a network that ends without a sigmoid."
    )
    sha256: str | None = Field(
        default=None,
        pattern=in_words("^[0-9a-f]{64}$", "64 hexadecimal digits, letters small"),
        description="Pins the file: other bytes are never loaded.",
    )


def read_description(path: Path) -> EngineDescription:
    """The description beside an ONNX file, or the defaults; raises EngineFileInvalid naming the key."""
    toml = path.with_suffix(".toml")
    try:
        return EngineDescription.model_validate(tomllib.loads(toml.read_text("utf-8")))
    except FileNotFoundError:
        return EngineDescription()
    except ValidationError as error:
        raise EngineFileInvalid(f"{toml}: {first_fault(error, '(file)')}.") from error
    except (OSError, ValueError) as error:
        raise EngineFileInvalid(f"{toml} cannot be read: {error}.") from error


def load_onnx_file(path: Path, models_dir: Path, compute: Compute) -> NetworkEngine:
    """Load a network from `path`, through a copy in `models_dir` that exists only meanwhile.

    Raises ModelMissing, ModelCorrupt when the description pins another hash, and EngineFileInvalid.
    """
    description = read_description(path)
    form = NetworkForm(description.side, description.mean, description.std, description.output)
    # What is hashed is what is loaded, and all of it: beside the copy lies no second file with weights.
    models_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="onnx-file-", dir=models_dir) as folder:
        alone = Path(folder) / "network.onnx"
        _copy(path, alone)
        found = file_hash(alone)
        _check_pin(path, found, description)
        try:
            model = open_network(alone, form.side)
        except RuntimeError as error:
            raise EngineFileInvalid(
                f"OpenVINO cannot read {path} as a network with one input of "
                f"1 x 3 x {form.side} x {form.side} and all its weights in this one file."
            ) from error
        _check_answer(model, form, path)
        info = EngineInfo(name=OWN_FILE, version=compute.version, model=path.stem, sha256=found)
        return NetworkEngine(info, model, form, compute)


def verify_onnx_file(path: Path) -> None:
    """Check the file against the hash that its description pins, if any.

    Raises ModelMissing, ModelCorrupt and EngineFileInvalid.
    """
    _check_pin(path, file_hash(path), read_description(path))


def _check_pin(path: Path, found: str, description: EngineDescription) -> None:
    if description.sha256 not in {None, found}:
        raise ModelCorrupt(f"{path} has sha256 {found}, its description pins {description.sha256}.")


def _copy(path: Path, target: Path) -> None:
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        raise ModelMissing(f"The engine's file {path} cannot be read: {error.strerror}.") from error


def file_hash(path: Path) -> str:
    """The file's sha256; raises ModelMissing when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelMissing(f"The engine's file {path} cannot be read: {error.strerror}.") from error


def _check_answer(model: openvino.Model, form: NetworkForm, path: Path) -> None:
    """The first output must be one number per pixel, or every photo would fail later."""
    shape = model.output(0).get_partial_shape()
    if shape.is_dynamic or math.prod(shape.to_shape()) != form.side**2:
        raise EngineFileInvalid(
            f"The first output of {path} is {shape}; "
            f"one number per pixel of {form.side} x {form.side} is needed."
        )
