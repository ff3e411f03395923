"""IS-Net: the network behind the engines `isnet` and `isnet-small`.

From X. Qin et al., "Highly Accurate Dichotomous Image Segmentation", ECCV 2022.
"""

from pathlib import Path

from opal.cutout.interface import EngineInfo
from opal.cutout.models import ModelSpec, verify_model
from opal.cutout.network import VERSION, NetworkEngine, NetworkForm, open_network

# How the published weights want their input: codes less 128, over 256.
FORM = NetworkForm(side=1024, mean=(128 / 255,) * 3, std=(256 / 255,) * 3)


def load_isnet(spec: ModelSpec, models_dir: Path, threads: int) -> NetworkEngine:
    """Load IS-Net's published weights; raises ModelMissing and ModelCorrupt."""
    path = verify_model(spec, models_dir)
    info = EngineInfo(name="isnet", version=VERSION, model=spec.name, sha256=spec.sha256)
    model = open_network(path, FORM.side)
    return NetworkEngine(info, model, FORM, cache=models_dir / "compiled", threads=threads)
