"""IS-Net: the network behind the engines `isnet`, `isnet-small` and `isnet-int8`.

From X. Qin et al., "Highly Accurate Dichotomous Image Segmentation", ECCV 2022.
"""

from pathlib import Path

from opal.cutout.compute import Compute
from opal.cutout.interface import EngineInfo
from opal.cutout.models import ModelSpec, verify_model
from opal.cutout.network import NetworkEngine, NetworkForm, open_network
from opal.cutout.quantised import NAME, files, verify_quantised

# How the published weights want their input: codes less 128, over 256.
FORM = NetworkForm(side=1024, mean=(128 / 255,) * 3, std=(256 / 255,) * 3, any_size=True)


def load_isnet(spec: ModelSpec, models_dir: Path, compute: Compute) -> NetworkEngine:
    """Load IS-Net's published weights; raises ModelMissing and ModelCorrupt."""
    path = verify_model(spec, models_dir)
    info = EngineInfo(name=spec.name, version=compute.version, model=spec.name, sha256=spec.sha256)
    model = open_network(path, FORM.side, any_size=True)
    return NetworkEngine(info, model, FORM, compute)


def load_quantised(models_dir: Path, compute: Compute) -> NetworkEngine:
    """Load what `opal models optimize` made; raises ModelMissing and ModelCorrupt."""
    sha256 = verify_quantised(models_dir).sha256
    return open_quantised(models_dir, sha256, compute)


def open_quantised(folder: Path, sha256: str, compute: Compute) -> NetworkEngine:
    """An engine from the quantised network's two files in `folder`, whatever a record says."""
    info = EngineInfo(name=NAME, version=compute.version, model=NAME, sha256=sha256)
    model = open_network(files(folder)[0], FORM.side, any_size=True)
    return NetworkEngine(info, model, FORM, compute)
