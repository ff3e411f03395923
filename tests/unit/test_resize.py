"""libvips' resizing keeps every pixel corner where it was."""

import numpy as np
import pytest
from tests.unit.photo_files import image

from opal.images.resize import resize_to


@pytest.mark.parametrize("kernel", ["linear", "lanczos2"])
@pytest.mark.parametrize(
    ("size", "target"),
    [
        ((60, 50), (150, 125)),
        ((60, 50), (61, 51)),
        ((300, 200), (97, 64)),
        ((80, 200), (200, 80)),
        ((64, 64), (128, 32)),
    ],
)
def test_pixel_corners_stay_corners(kernel: str, size: tuple[int, int], target: tuple[int, int]) -> None:
    """A ramp keeps its values by position: any shift would show as a constant offset."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    ramp = np.stack([(x + 0.5) / size[0], (y + 0.5) / size[1]], axis=-1).astype(np.float32)
    resized = resize_to(
        image(ramp, "multiband"), *target, "linear" if kernel == "linear" else "lanczos2"
    ).numpy()
    y, x = np.mgrid[0 : target[1], 0 : target[0]]
    wanted = np.stack([(x + 0.5) / target[0], (y + 0.5) / target[1]], axis=-1)
    # Away from the border, where edges are extended; in output pixels.
    border = [int(np.ceil(4 * max(1, t / s))) for s, t in zip(size, target, strict=True)]
    inner = (slice(border[1], -border[1]), slice(border[0], -border[0]))
    assert np.abs((resized - wanted) * target)[inner].max() < 0.06
