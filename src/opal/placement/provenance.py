"""Which IPTC DigitalSourceType a scene makes of a product photo.

Called by export-worker and scoring when they write a picture's metadata. IPTC's vocabulary:
http://cv.iptc.org/newscodes/digitalsourcetype/
"""

from opal.images.metadata import DigitalSourceType
from opal.images.photo import Photo
from opal.placement.scene import BackdropScene, Scene, StudioScene

_CAPTURED = frozenset(
    {
        "digitalCapture",
        "computationalCapture",
        "negativeFilm",
        "positiveFilm",
        "print",
        "humanEdits",
        "minorHumanEdits",
        "algorithmicallyEnhanced",
        "compositeCapture",
    }
)
"""What a backdrop may say of itself and still be a capture of real life."""
_GENERATED = frozenset(
    {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"}
)
"""What a backdrop says of itself when generative AI took part in it."""


def digital_source_type(scene: Scene, backdrop: Photo | None = None) -> DigitalSourceType | None:
    """The value for a product in `scene` (and on `backdrop`); None where nothing needs saying.

    Cutting a product out and putting it on a plain ground (a colour, a gradient, nothing) is what photo
    editing always was: no value. A studio set imitates a place that was never photographed, yet no
    generative model took part, so it is `composite` ("mix or composite of several elements, any of which
    may or may not be generative AI") and not `compositeSynthetic` ("at least one of which is generative
    AI"), which would have shops label it as AI-made.

    A photographed product on the user's own photograph is `compositeCapture` ("mix or composite of several
    elements that are all captures of real life"). A backdrop that says of itself, in its own metadata, that
    generative AI took part makes the picture `compositeSynthetic`, and one that says something else again
    (a drawing, a rendering) makes it `composite`. One that says nothing is taken for a photograph.
    """
    if isinstance(scene, BackdropScene):
        return source_type_on(None if backdrop is None else backdrop.source.digital_source_type)
    return DigitalSourceType.COMPOSITE if isinstance(scene, StudioScene) else None


def source_type_on(told: str | None) -> DigitalSourceType:
    """The value for a product on a picture that says `told` of itself, None where it says nothing."""
    if told is None or told in _CAPTURED:
        return DigitalSourceType.COMPOSITE_CAPTURE
    return DigitalSourceType.COMPOSITE_SYNTHETIC if told in _GENERATED else DigitalSourceType.COMPOSITE
