"""How a picture was made, as a C2PA manifest: the actions in their order, and what it was made from.

Pure; called by `sign.py` with what export-worker did. The names of actions and relationships are those of
the C2PA technical specification, 2.x.
"""

from dataclasses import dataclass
from typing import Any, Literal

from opal import __version__
from opal.images.encode import MEDIA_TYPE, OutputFormat
from opal.images.metadata import DigitalSourceType
from opal.images.photo import SourceInfo

HASH_PREFIX = "sha256:"
"""Begins an ingredient's description. C2PA's own `hash` of an ingredient is of data that travels inside."""

_AGENT = {"name": "Opal", "version": __version__}
_ORIGINAL, _PRODUCT, _BACKDROP = "opal:original", "opal:product", "opal:backdrop"

GroundKind = Literal["transparent", "solid", "gradient", "studio", "backdrop"]
_GROUND: dict[GroundKind, str] = {
    "transparent": "Product alone, without a ground",
    "solid": "Product placed on a plain colour",
    "gradient": "Product placed on a gradient",
    "studio": "Product placed in a computed set",
    "backdrop": "Product placed on a backdrop",
}


@dataclass(frozen=True, slots=True)
class Making:
    """What was done to make one picture."""

    title: str
    """Its file name. The original's own name is told nowhere: it may name people and clients."""
    original: SourceInfo
    own_cutout: bool
    """The original brought its transparency along, so nothing was cut out."""
    ground: GroundKind
    backdrop: SourceInfo | None
    scale: float
    """Picture pixels per pixel of the decoded photo."""
    straightened_degrees: float
    relit: bool
    """The product's light was moved towards the backdrop's."""
    digital_source_type: DigitalSourceType | None


def manifest_of(making: Making, output: OutputFormat) -> dict[str, Any]:
    """The manifest's definition, as the C2PA library takes it."""
    return {
        "claim_generator_info": [_AGENT],
        "title": making.title,
        "format": MEDIA_TYPE[output],
        "ingredients": _ingredients(making),
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": _actions(making, output)}}],
    }


def _ingredients(making: Making) -> list[dict[str, str]]:
    found = [
        _ingredient(_ORIGINAL, "Original photo", "parentOf", making.original),
        # `c2pa.placed` has to name a component, and the product is one: a part of the original.
        _ingredient(_PRODUCT, "Product, cut out of the original photo", "componentOf", making.original),
    ]
    if making.backdrop is not None:
        found.append(_ingredient(_BACKDROP, "Backdrop", "componentOf", making.backdrop))
    return found


def _ingredient(instance_id: str, title: str, relationship: str, source: SourceInfo) -> dict[str, str]:
    return {
        "instance_id": instance_id,
        "title": title,
        "relationship": relationship,
        "format": source.format.media_type,
        "description": HASH_PREFIX + source.sha256,
    }


def _actions(making: Making, output: OutputFormat) -> list[dict[str, Any]]:
    """What was really done, in the order in which it was done; nothing that was not."""
    done = [_action("c2pa.opened", ingredients=(_ORIGINAL,))]
    done.append(
        _action("c2pa.edited", "Background left out by the photo's own transparency")
        if making.own_cutout
        else _action("c2pa.edited", "Background removed")
    )
    if making.straightened_degrees:
        done.append(_action("c2pa.orientation", f"Turned by {making.straightened_degrees:.1f} degrees"))
    scale = making.scale * (0.5 if making.original.halved else 1.0)
    if round(scale, 4) != 1.0:
        done.append(_action("c2pa.resized", f"Product at {scale:.4g} of its size in the photo"))
    if making.relit:
        done.append(_action("c2pa.color_adjustments", "Product's light moved towards the backdrop's"))
    components = (_PRODUCT,) if making.backdrop is None else (_PRODUCT, _BACKDROP)
    placed = _action("c2pa.placed", _GROUND[making.ground], components)
    if making.digital_source_type is not None:
        placed["digitalSourceType"] = making.digital_source_type.uri
    done.append(placed)
    if making.original.format.value != output:
        done.append(_action("c2pa.converted", f"{making.original.format.media_type} to {MEDIA_TYPE[output]}"))
    return done


def _action(kind: str, description: str | None = None, ingredients: tuple[str, ...] = ()) -> dict[str, Any]:
    made: dict[str, Any] = {"action": kind}
    if description is not None:
        made["description"] = description
    if ingredients:
        made["parameters"] = {"ingredientIds": list(ingredients)}
    return made
