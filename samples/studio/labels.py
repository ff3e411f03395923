"""Printed artwork: a sheet measured in cm that text, bars and rules are set on, as a linear texture."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from studio.colour import decode
from studio.model import Array


class Sheet:
    """A printed sheet of `width` x `height` cm at `density` pixels per cm; y runs down from the top."""

    def __init__(self, width: float, height: float, ground: str, density: int = 90) -> None:
        self.density = density
        self.image = Image.new("RGB", (round(width * density), round(height * density)), ground)
        self.pen = ImageDraw.Draw(self.image)

    def text(
        self,
        words: str,
        x: float,
        y: float,
        size: float,
        ink: str,
        *,
        bold: float = 0.0,
        spacing: float = 0.0,
    ) -> None:
        """Words centred on (x, y), capitals about 0.7 `size` high; `bold`, `spacing` are parts of `size`."""
        # Pillow's built-in face is free (CC0) and the same on every machine.
        font = ImageFont.load_default(size * self.density)
        stroke = round(bold * size * self.density)
        widths = [font.getlength(c) + spacing * size * self.density for c in words]
        left = x * self.density - (sum(widths) - spacing * size * self.density) / 2
        for letter, width in zip(words, widths, strict=True):
            self.pen.text(
                (left, y * self.density), letter, font=font, fill=ink, anchor="lm", stroke_width=stroke
            )
            left += width

    def block(
        self, x: float, y: float, width: float, height: float, ink: str, *, radius: float = 0.0
    ) -> None:
        """A filled rectangle centred on (x, y), corners rounded by `radius`."""
        d = self.density
        box = ((x - width / 2) * d, (y - height / 2) * d, (x + width / 2) * d, (y + height / 2) * d)
        self.pen.rounded_rectangle(box, radius * d, fill=ink)

    def ring(self, x: float, y: float, radius: float, line: float, ink: str) -> None:
        """A circle outline of `line` cm."""
        d = self.density
        self.pen.ellipse(
            ((x - radius) * d, (y - radius) * d, (x + radius) * d, (y + radius) * d),
            outline=ink,
            width=max(1, round(line * d)),
        )

    def disc(self, x: float, y: float, radius: float, ink: str) -> None:
        """A filled circle."""
        d = self.density
        self.pen.ellipse(((x - radius) * d, (y - radius) * d, (x + radius) * d, (y + radius) * d), fill=ink)

    def bars(self, x: float, y: float, width: float, height: float, ink: str, *, seed: int) -> None:
        """A barcode-like row of bars."""
        rng = np.random.default_rng(seed)
        at, d = x - width / 2, self.density
        while at < x + width / 2:
            bar, gap = rng.choice([0.03, 0.06, 0.09], 2)
            self.pen.rectangle((at * d, (y - height / 2) * d, (at + bar) * d, (y + height / 2) * d), fill=ink)
            at += bar + gap

    def linear(self) -> Array:
        """The sheet as linear colour, its bottom row first, as uv on a turned mesh runs."""
        return decode(np.asarray(self.image, dtype=np.float64)[::-1] / 255)
