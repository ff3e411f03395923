"""The one table of cut-out engines: name to how it is loaded. A new engine is a new row.

Beside the rows any ONNX file is an engine, named by its path.
"""

from collections.abc import Callable
from pathlib import Path

from opal.cutout.interface import CutoutEngine
from opal.cutout.models import ModelSpec, model_spec
from opal.errors import UnknownEngine

DEFAULT_ENGINE = "isnet"


# The imports are inside, so that services which only list engines do not load OpenVINO.
def _isnet(name: str, models_dir: Path, threads: int) -> CutoutEngine:
    from opal.cutout.isnet import load_isnet  # noqa: PLC0415

    return load_isnet(model_spec(name), models_dir, threads)


def _quantised(_name: str, models_dir: Path, threads: int) -> CutoutEngine:
    from opal.cutout.isnet import load_quantised  # noqa: PLC0415

    return load_quantised(models_dir, threads)


def _onnx_file(name: str, models_dir: Path, threads: int) -> CutoutEngine:
    from opal.cutout.onnx_file import load_onnx_file  # noqa: PLC0415

    return load_onnx_file(Path(name).expanduser(), models_dir, threads)


ENGINES: dict[str, Callable[[str, Path, int], CutoutEngine]] = {
    "isnet": _isnet,
    "isnet-small": _isnet,
    "isnet-int8": _quantised,
}


def load_engine(name: str, models_dir: Path, *, threads: int = 0) -> CutoutEngine:
    """Load an engine, by its row or by the path of an ONNX file; `threads` of CPU, 0 for all cores.

    Raises UnknownEngine, ModelMissing, ModelCorrupt and EngineFileInvalid.
    """
    if names_a_file(name):
        return _onnx_file(name, models_dir, threads)
    if name not in ENGINES:
        raise UnknownEngine(
            f"There is no cut-out engine {name!r}. Known: {', '.join(ENGINES)}, and paths of .onnx files."
        )
    return ENGINES[name](name, models_dir, threads)


def names_a_file(engine: str) -> bool:
    """Whether an engine is named by the path of an ONNX file rather than by a row of the table."""
    return engine.endswith(".onnx")


def engine_weights(name: str) -> ModelSpec | None:
    """The published weights that an engine loads; None for what is made here or one's own, and never fetched.

    Raises UnknownEngine.
    """
    return None if names_a_file(name) or ENGINES.get(name) is _quantised else model_spec(name)
