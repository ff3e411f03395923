"""Which IPTC DigitalSourceType a scene makes of a product photo.

Called by export-worker and scoring when they write a picture's metadata. IPTC's vocabulary:
http://cv.iptc.org/newscodes/digitalsourcetype/
"""

from opal.images.metadata import DigitalSourceType
from opal.placement.scene import Scene, StudioScene


def digital_source_type(scene: Scene) -> DigitalSourceType | None:
    """The value for a product in `scene`; None where nothing needs saying.

    Cutting a product out and putting it on a plain ground (a colour, a gradient, nothing) is what photo
    editing always was: no value. A studio set imitates a place that was never photographed, yet no
    generative model took part, so it is `composite` ("mix or composite of several elements, any of which
    may or may not be generative AI") and not `compositeSynthetic` ("at least one of which is generative
    AI"), which would have shops label it as AI-made.
    """
    return DigitalSourceType.COMPOSITE if isinstance(scene, StudioScene) else None
