"""After warming up, no picture has to wait for a compiler."""

import subprocess
import sys

# In a process of its own: in this one, other tests have compiled what they needed.
COMPILED_LATER = """
import sys
from numba.core.dispatcher import Dispatcher
from tests.unit.drawn_products import mug
from opal.export_worker.create_variants import create_variants
from opal.export_worker.warm_up import warm_up
from opal.marketplaces.presets import load_presets
from opal.placement.placement import Placement
from opal.placement.scene import GradientScene, StudioScene

def signatures():
    return {
        (name, loop, signature)
        for name, module in list(sys.modules.items()) if name.startswith("opal.")
        for loop, value in vars(module).items() if isinstance(value, Dispatcher)
        for signature in value.signatures
    }

warm_up()
known = signatures()
product = mug()
presets = [
    load_presets()[name].model_copy(update={"width": 300, "height": 280})
    for name in ("square-1x1", "amazon-main", "cutout-png", "thumbnail-avif")
]
scenes = {"floating": GradientScene(), "soft": StudioScene(look="oak"), "none": GradientScene()}
for shadow, scene in scenes.items():
    create_variants(product.photo, product.matte, scene, Placement(shadow=shadow), presets, seed=1)
print(len(known) > 10, sorted(signatures() - known))
"""


def test_nothing_is_compiled_later() -> None:
    done = subprocess.run([sys.executable, "-c", COMPILED_LATER], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True []\n", "")
