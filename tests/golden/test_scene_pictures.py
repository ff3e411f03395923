"""Every ready-made scene with a product in it, against the pictures in `scenes/`, which a person approved."""

import os
from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from tests.unit.drawn_backdrops import room
from tests.unit.drawn_products import mug

from opal.placement.place import compose
from opal.placement.placement import Placement
from opal.placement.scene import SCENES, BackdropScene

FOLDER = Path(__file__).parent / "scenes"
RENEW = os.environ.get("RENEW_GOLDEN") == "1"

# In 8-bit codes, on pictures shrunk four times: libvips and numpy round differently from build to build, and
# shrinking takes the grain out. A change that an eye could see moves whole areas by more.
LARGEST = 6.0
MEAN = 0.5

CASES = {
    "studio-white": ("studio-white", 480, 480),
    "studio-grey": ("studio-grey", 640, 480),
    "studio-warm": ("studio-warm", 360, 640),
    "studio-concrete": ("studio-concrete", 480, 480),
    "studio-oak": ("studio-oak", 640, 480),
    "studio-marble": ("studio-marble", 480, 480),
    "studio-sage": ("studio-sage", 480, 480),
    "studio-coral": ("studio-coral", 480, 480),
    "studio-podium": ("studio-podium", 360, 640),
    "studio-dark": ("studio-dark", 480, 480),
    "white": ("white", 480, 480),
    "light-grey": ("light-grey", 480, 480),
    "gradient-grey": ("gradient-grey", 480, 480),
    "gradient-spot": ("gradient-spot", 480, 480),
    "transparent": ("transparent", 480, 480),
}


def _picture(scene: str, width: int, height: int) -> NDArray[np.uint8]:
    drawn = mug(480, 420)
    return _shrunk(compose(drawn.found, SCENES[scene], Placement(), width, height, seed=1).pixels)


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width, bands = pixels.shape
    blocks = pixels.reshape(height // 4, 4, width // 4, 4, bands)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))), np.uint8)


def test_every_named_scene_has_a_picture() -> None:
    assert {scene for scene, _, _ in CASES.values()} == set(SCENES)


@pytest.mark.parametrize("name", list(CASES))
def test_a_scene_looks_as_it_did(name: str, tmp_path: Path) -> None:
    _hold_against_golden(_picture(*CASES[name]), name, tmp_path)


def test_a_backdrop_looks_as_it_did(tmp_path: Path) -> None:
    """Crop, depth of field, a cast shadow that ends at the wall, and a light that was matched."""
    drawn = mug(480, 420)
    scene = BackdropScene(
        picture="room", ground=0.85, across=0.4, horizon=0.6, scale=0.4, blur=0.8, match=1.0, light_from=250.0
    )
    placement = Placement(shadow="hard", shadow_length=1.0)
    made = compose(drawn.found, scene, placement, 480, 480, seed=1, backdrop=room())
    _hold_against_golden(_shrunk(made.pixels), "backdrop", tmp_path)


def _hold_against_golden(now: NDArray[np.uint8], name: str, tmp_path: Path) -> None:
    golden = FOLDER / f"{name}.png"
    image = pyvips.Image.new_from_array(now).copy(interpretation="srgb")
    if RENEW:
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(image.pngsave_buffer(keep="none"))
    expected = pyvips.Image.pngload_buffer(golden.read_bytes()).numpy()
    seen = tmp_path / f"{name}.png"
    seen.write_bytes(image.pngsave_buffer(keep="none"))
    assert now.shape == expected.shape
    difference = np.abs(now.astype(float) - expected)
    assert difference.max() <= LARGEST and difference.mean() <= MEAN, (  # noqa: PT018 - one message for both
        f"Scene {name!r} looks different: largest {difference.max():.1f} (limit {LARGEST}), "
        f"mean {difference.mean():.2f} (limit {MEAN}) codes.\n"
        f"Look:  {golden} (then) beside {seen} (now).\n"
        f"Renew: RENEW_GOLDEN=1 pytest tests/golden/test_scene_pictures.py, look at the new pictures "
        "at full size, raise the engine's version in placement/, and commit them with the change."
    )
