"""The one table of cut-out engines: name to how it is loaded. A new engine is a new row.

Beside the rows any ONNX file is an engine, named by its path.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from opal.cutout.compute import Compute
from opal.cutout.interface import CutoutEngine
from opal.cutout.models import ModelSpec, model_spec, verify_model
from opal.cutout.quantised import files, read_record, verify_quantised
from opal.errors import ModelMissing, UnknownEngine

DEFAULT_ENGINE = "isnet"
OWN_FILE = "onnx-file"
"""What pictures call an engine that is a file of one's own."""
AS_IT_COMES = Compute()


# The imports are inside, so that services which only list engines do not load OpenVINO.
def _isnet(name: str, models_dir: Path, compute: Compute) -> CutoutEngine:
    from opal.cutout.isnet import load_isnet  # noqa: PLC0415

    return load_isnet(model_spec(name), models_dir, compute)


def _quantised(_name: str, models_dir: Path, compute: Compute) -> CutoutEngine:
    from opal.cutout.isnet import load_quantised  # noqa: PLC0415

    return load_quantised(models_dir, compute)


def _onnx_file(name: str, models_dir: Path, compute: Compute) -> CutoutEngine:
    from opal.cutout.onnx_file import load_onnx_file  # noqa: PLC0415

    return load_onnx_file(engine_file(name), models_dir, compute)


def engine_file(name: str) -> Path:
    """The ONNX file that an engine is named by. Raises ModelMissing where its home folder is nobody's."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise ModelMissing(f"The engine's file {name} has no place: there is no such home folder.") from error


ENGINES: dict[str, Callable[[str, Path, Compute], CutoutEngine]] = {
    "isnet": _isnet,
    "isnet-small": _isnet,
    "isnet-int8": _quantised,
}


def load_engine(name: str, models_dir: Path, compute: Compute = AS_IT_COMES) -> CutoutEngine:
    """Load an engine, by its row or by the path of an ONNX file.

    Raises UnknownEngine, ModelMissing, ModelCorrupt and EngineFileInvalid.
    """
    return _loader(name)(name, models_dir, compute)


def _loader(name: str) -> Callable[[str, Path, Compute], CutoutEngine]:
    if names_a_file(name):
        return _onnx_file
    if name not in ENGINES:
        raise UnknownEngine(
            f"There is no cut-out engine {name!r}. Known: {', '.join(ENGINES)}, and paths of .onnx files."
        )
    return ENGINES[name]


def names_a_file(engine: str) -> bool:
    """Whether an engine is named by the path of an ONNX file rather than by a row of the table."""
    return engine.endswith(".onnx")


def engine_weights(name: str) -> ModelSpec | None:
    """The published weights that an engine loads; None for what is made here or one's own, and never fetched.

    Raises UnknownEngine.
    """
    return model_spec(name) if _loader(name) is _isnet else None


def verify_engine(name: str, models_dir: Path) -> Path:
    """The file that an engine would load, its bytes checked against every hash that there is of them.

    Raises UnknownEngine, ModelMissing, ModelCorrupt and EngineFileInvalid.
    """
    loader = _loader(name)
    if loader is _isnet:
        return verify_model(model_spec(name), models_dir)
    if loader is _quantised:
        verify_quantised(models_dir)
        return files(models_dir)[0]
    from opal.cutout.onnx_file import verify_onnx_file  # noqa: PLC0415

    path = engine_file(name)
    verify_onnx_file(path)
    return path


def engine_identity(name: str, models_dir: Path, compute: Compute = AS_IT_COMES) -> dict[str, Any]:
    """What makes an engine's mattes the same: name, version, sha256 of the weights, a file's description.

    Loads no network; weights that were not made yet have no hash. Raises UnknownEngine, ModelMissing,
    ModelCorrupt and EngineFileInvalid.
    """
    identity: dict[str, Any] = {"name": name, "version": compute.version}
    loader = _loader(name)
    if loader is _onnx_file:
        from opal.cutout.onnx_file import file_hash, read_description  # noqa: PLC0415

        path = engine_file(name)
        described = read_description(path).model_dump(mode="json")
        return {**identity, "sha256": file_hash(path), "description": described}
    if loader is _quantised:
        record = read_record(models_dir)
        return {**identity, "sha256": None if record is None else record.sha256}
    return {**identity, "sha256": model_spec(name).sha256}
