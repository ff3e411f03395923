"""Colour by eye (sRGB hex) to colour for the renderer (linear), and back."""

import numpy as np

from studio.model import Array


def linear(code: str) -> Array:
    """Linear RGB of a `#rrggbb` colour."""
    return decode(np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255)


def decode(value: Array) -> Array:
    """The sRGB curve undone: 0 to 1 as stored, to linear light. Display P3 uses the same curve."""
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4))


def encode(value: Array) -> Array:
    """Linear light to the stored 0 to 1 value."""
    value = np.clip(value, 0, 1)
    return np.asarray(np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055))
