"""Textures computed from noise: wood, plaster, terrazzo, woven cloth, speckled glaze; linear RGB arrays."""

import numpy as np
from scipy import ndimage

from studio.colour import linear
from studio.model import Array
from studio.noise import field, ramp, spots


def wood(
    size: tuple[int, int], seed: int, dark: str, light: str, *, rings: float = 22.0, planks: int = 1
) -> tuple[Array, Array]:
    """Colour and height of sawn wood, grain along the columns, `planks` boards side by side over the rows."""
    rows, columns = size[0] // planks, size[1]
    boards = [_board((rows, columns), seed + 17 * k, dark, light, rings) for k in range(planks)]
    colour = np.concatenate([b[0] for b in boards])
    height = np.concatenate([b[1] for b in boards])
    if planks > 1:
        gap = np.abs((np.arange(len(height)) % rows) - 0.5) < max(2, rows // 90)
        colour[gap] *= 0.25
        height[gap] -= 3
    return colour, height


def _board(size: tuple[int, int], seed: int, dark: str, light: str, rings: float) -> tuple[Array, Array]:
    """One board cut from a log whose heart runs, crooked, somewhere below it."""
    rng = np.random.default_rng(seed)
    y = np.linspace(-0.5, 0.5, size[0])[:, None] + rng.uniform(-0.35, 0.35)
    bend = 0.10 * field(size, seed, slope=2.2, low=1, high=6, stretch=(1.2, 1))
    wobble = 0.012 * field(size, seed + 1, slope=1.4, low=3, stretch=(1, 4))
    below = (
        rng.uniform(0.12, 0.3) + 0.16 * np.cos(np.linspace(0, 2 * np.pi, size[1]) + rng.uniform(0, 6))[None]
    )
    distance = np.hypot(y + bend * 0.6, below) + wobble
    phase = (distance * rings + 0.5 * bend) % 1.0
    # Late wood: a slow darkening, then an abrupt return to pale.
    ring = np.where(phase < 0.86, (phase / 0.86) ** 2.2, (1 - phase) / 0.14)
    ring = ndimage.gaussian_filter(ring, (1.0, 2.0), mode="wrap")
    fibre = field(size, seed + 2, slope=0.35, low=40, stretch=(1, 28))
    pores = np.clip(field(size, seed + 3, slope=0.15, low=60, stretch=(1, 22)) - 1.7, 0, 1)
    tone = (
        0.30 + 0.42 * ring + 0.055 * fibre + 0.35 * pores + 0.06 * field(size, seed + 4, slope=1.8, high=12)
    )
    tone = tone + rng.uniform(-0.08, 0.08)
    a, b = linear(light), linear(dark)
    colour = ramp(np.clip(tone, 0, 1.2), [(0.0, a * 1.12), (0.35, a), (0.8, b), (1.2, b * 0.45)])
    return colour, -0.5 * ring - 0.5 * fibre - 2.0 * pores


def plaster(size: tuple[int, int], seed: int, colour: str) -> tuple[Array, Array]:
    """A painted wall: faint stains and roller texture."""
    stain = field(size, seed, slope=1.9, high=40)
    fine = field(size, seed + 1, slope=0.7, low=60, high=300)
    tone = 1 + 0.018 * stain + 0.012 * fine
    return linear(colour) * tone[..., None], fine + 0.4 * field(size, seed + 2, slope=1.0, low=10)


def terrazzo(size: tuple[int, int], seed: int, base: str, chips: list[str], count: int) -> Array:
    """A worktop of coloured chips in a fine ground."""
    out = linear(base) * (1 + 0.03 * field(size, seed, slope=0.5))[..., None]
    for k, chip in enumerate(chips):
        mask = spots(size, seed + 3 + k, count // len(chips), (1.0, size[0] / 70))
        rough = np.clip(3 * (mask + 0.25 * field(size, seed + 40 + k, slope=1.2, low=20) - 0.35), 0, 1)[
            ..., None
        ]
        out = out * (1 - rough * (mask > 0)[..., None]) + linear(chip) * rough * (mask > 0)[..., None]
    return out


def weave(
    size: tuple[int, int], seed: int, threads: int, colour: str, uneven: float = 0.5
) -> tuple[Array, Array]:
    """Plain-woven cloth, `threads` each way: colour and height."""
    y = np.linspace(0, threads, size[0], endpoint=False)[:, None]
    x = np.linspace(0, threads, size[1], endpoint=False)[None]
    y = y + 0.16 * uneven * field(size, seed, slope=1.0, low=8, stretch=(1, 10))
    x = x + 0.16 * uneven * field(size, seed + 1, slope=1.0, low=8, stretch=(10, 1))
    warp_up = (np.floor(x) + np.floor(y)) % 2 == 0
    round_x, round_y = np.sin(np.pi * (x % 1)), np.sin(np.pi * (y % 1))
    height = np.where(warp_up, round_x * (0.55 + 0.45 * round_y), round_y * (0.55 + 0.45 * round_x))
    slub_x = field(size, seed + 2, slope=0.8, low=10, stretch=(14, 1))
    slub_y = field(size, seed + 3, slope=0.8, low=10, stretch=(1, 14))
    slub = np.where(warp_up, slub_x, slub_y)
    tone = (
        (0.72 + 0.34 * height) * (1 + 0.055 * uneven * slub) * (1 + 0.02 * field(size, seed + 4, slope=1.6))
    )
    return linear(colour) * tone[..., None], height + 0.1 * slub


def speckle(size: tuple[int, int], seed: int, colour: str, dot: str, *, count: int, radius: float) -> Array:
    """Stoneware glaze: iron spots in a slightly uneven ground."""
    ground = linear(colour) * (1 + 0.03 * field(size, seed, slope=1.6))[..., None]
    mask = 0.8 * spots(size, seed + 1, count, (0.3, radius))[..., None]
    return ground * (1 - mask) + linear(dot) * mask
