"""Tileable random fields, the raw material of every texture here; mean 0 and deviation 1."""

import numpy as np

from studio.model import Array


def field(
    shape: tuple[int, int],
    seed: int,
    *,
    slope: float = 1.6,
    low: float = 1.0,
    high: float = 1e9,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Array:
    """Noise with power falling as frequency**-slope between `low` and `high` cycles per tile.

    `stretch` elongates the features along (rows, columns).
    """
    rng = np.random.default_rng(seed)
    fy = np.fft.fftfreq(shape[0])[:, None] * shape[0] * stretch[0]
    fx = np.fft.rfftfreq(shape[1])[None] * shape[1] * stretch[1]
    frequency = np.hypot(fy, fx)
    gain = np.where((frequency >= low) & (frequency <= high), np.maximum(frequency, 1e-9) ** -slope, 0.0)
    out = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, s=shape)
    return np.asarray(out / out.std())


def spots(shape: tuple[int, int], seed: int, count: int, radius: tuple[float, float]) -> Array:
    """Random discs (0 to 1, soft edges) of radii in pixels between the two given, small ones far commoner."""
    rng = np.random.default_rng(seed)
    out = np.zeros(shape)
    for _ in range(count):
        r = radius[0] + (radius[1] - radius[0]) * rng.random() ** 4
        reach = int(np.ceil(r + 1.5))
        cy, cx = rng.integers(shape[0]), rng.integers(shape[1])
        oy, ox = rng.random(2)
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        squash = rng.uniform(0.7, 1.3)
        disc = np.clip(r + 0.5 - np.hypot((y - oy) * squash, (x - ox) / squash), 0, 1) * rng.uniform(0.5, 1.0)
        rows, columns = (y + cy) % shape[0], (x + cx) % shape[1]
        out[rows, columns] = np.maximum(out[rows, columns], disc)
    return out


def ramp(value: Array, stops: list[tuple[float, Array]]) -> Array:
    """Colours looked up along (position, colour) stops, linearly between them."""
    places = [s[0] for s in stops]
    return np.stack([np.interp(value, places, [s[1][k] for s in stops]) for k in range(3)], axis=-1)
