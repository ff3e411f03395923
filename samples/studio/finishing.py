"""What a camera does after the light arrives: exposure, curve, lens and sensor traces; pure functions."""

import numpy as np
from scipy import ndimage

from studio.colour import encode
from studio.model import Array, Finish

LUMA = np.array([0.2126, 0.7152, 0.0722])


def develop(light: Array, finish: Finish, seed: int) -> Array:
    """Linear radiance (h, w, 3) to a stored picture of 0 to 1, as a phone would develop it."""
    light = light * finish.exposure * np.array(finish.white)
    light = _bloom(light, finish.bloom)
    light = light * _vignette(light.shape[:2], finish.vignette)[..., None]
    light = _curve(light, finish.contrast)
    grey = (light @ LUMA)[..., None]
    light = np.clip(grey + (light - grey) * finish.saturation, 0, 1)
    picture = encode(light)
    picture = _sharpen(picture, finish.sharpen)
    return np.clip(_grain(picture, finish.grain, seed), 0, 1)


def _bloom(light: Array, amount: float) -> Array:
    """Light from the brightest places spread a little, as lens glass does."""
    reach = light.shape[1] / 60
    excess = np.minimum(np.maximum(light - 0.9, 0), 4)
    spread = ndimage.gaussian_filter(excess, (reach, reach, 0)) + ndimage.gaussian_filter(
        excess, (reach / 6, reach / 6, 0)
    )
    return np.asarray(light + amount * spread)


def _vignette(shape: tuple[int, ...], amount: float) -> Array:
    """1 in the middle, 1 - `amount` in the corners."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return np.asarray(1 - amount * ((x**2 + y**2) / 2) ** 1.3)


def _curve(light: Array, contrast: float) -> Array:
    """A film-like curve: straight in the middle, a soft shoulder from 0.7 up, a slight toe.

    The shoulder works on the largest channel so that bright colours keep their hue on the way to white.
    """
    peak = np.maximum(light.max(axis=-1, keepdims=True), 1e-9)
    knee = 0.62
    rolled = np.where(peak > knee, knee + (1 - knee) * (1 - np.exp(-(peak - knee) / (1 - knee))), peak)
    squeezed = light * (rolled / peak)
    # Only light far over white loses its colour.
    fade = np.clip((peak - 1.5) / 6, 0, 1)
    squeezed = squeezed * (1 - fade) + rolled * fade
    grey = 0.18
    return np.asarray(np.where(squeezed < grey, grey * (squeezed / grey) ** contrast, squeezed))


def _sharpen(picture: Array, amount: float) -> Array:
    """A mild unsharp mask on brightness only, over about a pixel."""
    grey = picture @ LUMA
    return np.asarray(
        picture + amount * np.clip(grey - ndimage.gaussian_filter(grey, 0.9), -0.06, 0.06)[..., None]
    )


def _grain(picture: Array, amount: float, seed: int) -> Array:
    """Sensor noise: stronger in the shadows, coarser in colour, as a phone leaves it."""
    rng = np.random.default_rng(seed)
    shape = picture.shape[:2]
    luma = ndimage.gaussian_filter(rng.standard_normal(shape), 0.55)
    luma /= luma.std()
    chroma = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), 1.6) for _ in range(3)], axis=-1)
    chroma /= chroma.std()
    strength = amount * (1.25 - 0.9 * (picture @ LUMA))[..., None]
    return np.asarray(picture + strength * (luma[..., None] + 0.35 * chroma))
