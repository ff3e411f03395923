"""An empty wine glass in a kitchen: nothing to see of it but what it bends and mirrors."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.meshes import dense, fillet, lathe
from studio.model import Camera, Encoding, Finish, Part, Shot
from studio.sets import daylight, desk


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="wine-glass",
        kind="clear stemmed glass",
        tests="clear glass in front of a cluttered kitchen, a thin stem, a see-through foot",
        size=(1200, 1600),
        camera=Camera((3, 18, 58), (0.4, 10.3, 0), 25.5, aperture=0.45, focus=(0, 12, 3), roll=0.5),
        parts=(
            *_glass(),
            *desk(121, "#6b4a30", "#b58d60"),
            props.tiles(240, 130, -52, "#d9dedb", side=7.5, seed=5),
            *props.board((22, 30, 1.8), (-15, 0, -36), 9),
            props.canister(5.2, 13, (12.5, 0, -30), "#3f5a57"),
            *props.lemons(((14, 0, -12, 40), (19.0, 0, -15, 120))),
        ),
        environment=daylight(123, light=17.0),
        finish=Finish(exposure=1.15, white=(1.01, 1, 0.97), contrast=1.12, grain=0.007),
        encoding=Encoding(quality=92),
        spp=64,
        depth=14,
    )


def _glass() -> list[Part]:
    """Foot, stem and bowl as one turned piece of glass, two millimetres thick at the rim."""
    outline = [
        (0, 0.12, 0),
        (3.2, 0.0, 0.1),
        (3.55, 0.06, 0.05),
        (3.5, 0.2, 0.1),
        (1.2, 0.55, 1.2),
        (0.42, 1.6, 1.5),
        (0.38, 8.0, 2.0),
        (0.8, 9.3, 1.0),
        (3.6, 10.8, 1.8),
        (4.3, 13.6, 3.0),
        (3.3, 19.6, 1.0),
        (3.22, 19.75, 0.06),
        (3.12, 19.6, 0.06),
        (4.1, 13.6, 3.0),
        (3.45, 11.1, 1.8),
        (0.9, 9.75, 0.9),
        (0, 9.65, 0),
    ]
    blown = lathe(dense(fillet(outline, steps=18), 0.2), 200)
    return [Part("glass", blown, m.glass(1.5, 1.0, np.clip(linear("#f8fcfa"), 0, 1)), True)]
