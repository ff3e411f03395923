"""How remove.bg writes values: booleans, lengths in ``px`` or ``%``, positions, colours. Pure.

Called by ``removebg_request.py``. Every reader raises ``ValueError`` with a sentence for the client.
"""

import re

import webcolors

from opal.cutout_pictures.wanted import Colour, Length

_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(px|%)")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%")
_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def read_boolean(text: str) -> bool:
    """``true``, ``false``, ``1`` or ``0``."""
    if text.lower() not in _BOOLEANS:
        raise ValueError("must be true or false.")
    return _BOOLEANS[text.lower()]


def read_length(text: str) -> Length:
    """``30px`` or ``10%``; a bare ``0`` is none."""
    if text == "0":
        return Length(0.0, relative=False)
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise ValueError("must be given in px or %, like 30px or 10%.")
    relative = found[2] == "%"
    return Length(float(found[1]) / (100.0 if relative else 1.0), relative)


def read_corners(text: str) -> tuple[Length, Length, Length, Length]:
    """Two corners, ``x1 y1 x2 y2``."""
    parts = text.split()
    if len(parts) != 4:
        raise ValueError("must be four values, x1 y1 x2 y2.")
    left, top, right, bottom = (read_length(part) for part in parts)
    return left, top, right, bottom


def read_margins(text: str) -> tuple[Length, Length, Length, Length]:
    """One, two or four lengths as in CSS; top, right, bottom, left."""
    lengths = [read_length(part) for part in text.split()]
    match lengths:
        case [every]:
            return every, every, every, every
        case [vertical, horizontal]:
            return vertical, horizontal, vertical, horizontal
        case [top, right, bottom, left]:
            return top, right, bottom, left
    raise ValueError("must be one, two or four values.")


def read_percent(text: str, least: float = 0.0) -> float:
    """``0%`` to ``100%`` as a share, not below ``least`` (a share)."""
    found = _PERCENT.fullmatch(text)
    share = float(found[1]) / 100.0 if found else -1.0
    if not least <= share <= 1.0:
        raise ValueError(f"must be {least:.0%} to 100%.")
    return share


def read_position(text: str) -> tuple[float, float] | None:
    """Shares of the free room left of and above the subject; None for ``original``."""
    if text == "original":
        return None
    parts = text.split()
    if not 1 <= len(parts) <= 2:
        raise ValueError("must be original, center, or one or two percentages.")
    shares = [0.5 if part == "center" else read_percent(part) for part in parts]
    return shares[0], shares[-1]


def read_colour(text: str) -> Colour:
    """Three, four, six or eight hexadecimal digits, or one of CSS' names."""
    found = _HEX.fullmatch(text)
    if found is not None:
        digits = found[1] if len(found[1]) > 4 else "".join(2 * digit for digit in found[1])
        red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
        return red, green, blue, alpha
    if text.lower() == "transparent":
        return 0, 0, 0, 0
    try:
        named = webcolors.name_to_rgb(text)
    except ValueError as error:
        raise ValueError("must be a hex code like 81d4fa or fff, or the name of a colour.") from error
    return named.red, named.green, named.blue, 255
