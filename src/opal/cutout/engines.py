"""The one table of cut-out engines: name to how it is loaded. A new engine is a new row."""

from collections.abc import Callable
from pathlib import Path

from opal.cutout.interface import CutoutEngine
from opal.cutout.models import model_spec, verify_model
from opal.errors import UnknownEngine

DEFAULT_ENGINE = "isnet"


def _isnet(name: str, models_dir: Path, threads: int) -> CutoutEngine:
    # Here, so that services which only list engines do not load OpenVINO.
    from opal.cutout.isnet import IsnetEngine  # noqa: PLC0415

    spec = model_spec(name)
    return IsnetEngine(spec, verify_model(spec, models_dir), threads=threads)


ENGINES: dict[str, Callable[[str, Path, int], CutoutEngine]] = {"isnet": _isnet, "isnet-small": _isnet}


def load_engine(name: str, models_dir: Path, *, threads: int = 0) -> CutoutEngine:
    """Load an engine; `threads` of CPU, 0 for all cores.

    Raises UnknownEngine, ModelMissing and ModelCorrupt.
    """
    if name not in ENGINES:
        raise UnknownEngine(f"There is no cut-out engine {name!r}. Known: {', '.join(ENGINES)}.")
    return ENGINES[name](name, models_dir, threads)
