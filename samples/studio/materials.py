"""Surfaces as Mitsuba dictionaries. Reflectances are linear RGB, either one colour or a (h, w, 3) texture."""

from typing import Any

import mitsuba as mi
import numpy as np

from studio.model import Array, Material

Reflectance = Array


def texture(value: Array, scale: tuple[float, float] = (1.0, 1.0)) -> dict[str, Any]:
    """A texture holding linear values as they are; 2D arrays become one channel."""
    pixels = np.ascontiguousarray(value if value.ndim == 3 else value[..., None], dtype=np.float32)
    return {
        "type": "bitmap",
        "bitmap": mi.Bitmap(pixels),
        "raw": True,
        "filter_type": "bilinear",
        "to_uv": mi.ScalarTransform4f().scale([scale[0], scale[1], 1.0]),
    }


def _colour(value: Array, scale: tuple[float, float]) -> dict[str, Any]:
    """One colour or a texture, clipped below 1 so that no bounce gains light."""
    value = np.clip(value, 0.002, 0.93)
    return {"type": "rgb", "value": value.tolist()} if value.ndim == 1 else texture(value, scale)


def _grey(value: Array | float, scale: tuple[float, float]) -> float | dict[str, Any]:
    """One number, or a one-channel texture of numbers."""
    return float(value) if isinstance(value, (float, int)) else texture(value, scale)


def surface(
    colour: Reflectance,
    roughness: Array | float = 0.5,
    *,
    specular: float = 0.5,
    metallic: float = 0.0,
    clearcoat: float = 0.0,
    sheen: float = 0.0,
    anisotropic: float = 0.0,
    bump: Array | None = None,
    depth: float = 1.0,
    scale: tuple[float, float] = (1.0, 1.0),
    two_sided: bool = True,
) -> Material:
    """The everyday opaque surface: paint, plastic, glaze, wood, cloth, metal.

    `bump` is a height texture and `depth` its strength; `scale` repeats all textures over uv.
    """
    inner: dict[str, Any] = {
        "type": "principled",
        "base_color": _colour(colour, scale),
        "roughness": _grey(roughness, scale),
        "specular": specular,
        "metallic": metallic,
        "anisotropic": anisotropic,
        "sheen": sheen,
    }
    if clearcoat:
        inner |= {"clearcoat": clearcoat, "clearcoat_gloss": 0.95}
    if bump is not None:
        inner = {"type": "bumpmap", "nested": inner, "arbitrary": texture(bump, scale), "scale": depth}
    return {"type": "twosided", "nested": inner} if two_sided else inner


def matte(
    colour: Reflectance,
    scale: tuple[float, float] = (1.0, 1.0),
    bump: Array | None = None,
    depth: float = 1.0,
) -> Material:
    """Chalky: plaster, paper, unglazed clay."""
    inner: dict[str, Any] = {"type": "diffuse", "reflectance": _colour(colour, scale)}
    if bump is not None:
        inner = {"type": "bumpmap", "nested": inner, "arbitrary": texture(bump, scale), "scale": depth}
    return {"type": "twosided", "nested": inner}


def glaze(
    colour: Reflectance,
    roughness: float = 0.1,
    ior: float = 1.5,
    *,
    scale: tuple[float, float] = (1.0, 1.0),
    bump: Array | None = None,
    depth: float = 1.0,
) -> Material:
    """A clear coat over a diffuse body: glazed ceramic, enamel, lacquer, glossy plastic."""
    inner: dict[str, Any] = {
        "type": "roughplastic",
        "diffuse_reflectance": _colour(colour, scale),
        "alpha": max(roughness, 0.02),
        "int_ior": ior,
        "nonlinear": True,
    }
    if bump is not None:
        inner = {"type": "bumpmap", "nested": inner, "arbitrary": texture(bump, scale), "scale": depth}
    return {"type": "twosided", "nested": inner}


def metal(
    name: str,
    roughness: Array | float = 0.2,
    *,
    bump: Array | None = None,
    depth: float = 1.0,
    scale: tuple[float, float] = (1.0, 1.0),
    across: float | None = None,
    tint: Array | None = None,
) -> Material:
    """A bare metal by Mitsuba's name (Al, Au, Cu, Ag, Cr); `across` is the roughness along v when brushed.

    `tint` multiplies its colour, for alloys.
    """
    inner: dict[str, Any] = {"type": "roughconductor", "material": name, "distribution": "ggx"}
    if across is None:
        inner["alpha"] = _grey(roughness, scale)
    else:
        inner |= {"alpha_u": _grey(roughness, scale), "alpha_v": across}
    if tint is not None:
        inner["specular_reflectance"] = {"type": "rgb", "value": tint.tolist()}
    if bump is not None:
        inner = {"type": "bumpmap", "nested": inner, "arbitrary": texture(bump, scale), "scale": depth}
    return {"type": "twosided", "nested": inner}


def glass(inside: float = 1.5, outside: float = 1.0, tint: Array | None = None) -> Material:
    """A smooth boundary between two clear media; `tint` colours what passes through it once."""
    out: dict[str, Any] = {"type": "dielectric", "int_ior": inside, "ext_ior": outside}
    if tint is not None:
        out["specular_transmittance"] = {"type": "rgb", "value": tint.tolist()}
    return out


def film(ior: float = 1.45) -> Material:
    """A clear sheet too thin to bend light, as of blister packs and lenses: it mirrors and lets through."""
    return {"type": "thindielectric", "int_ior": ior, "ext_ior": 1.0}
