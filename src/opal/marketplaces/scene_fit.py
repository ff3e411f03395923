"""Which presets can hold a scene at all. Called by web-api and the command line, before any work."""

from collections.abc import Sequence

from opal.errors import InvalidScene
from opal.marketplaces.presets import Preset
from opal.placement.scene import Scene


def check_scene_fits(scene: Scene, presets: Sequence[Preset]) -> None:
    """Refuse a transparent scene for presets that keep it and are JPEGs, which have no transparency.

    Raises ``InvalidScene`` naming those presets and the one to use.
    """
    if scene.kind != "transparent":
        return
    opaque = [preset.name for preset in presets if preset.ground == "scene" and preset.format == "jpeg"]
    if opaque:
        raise InvalidScene(
            f"A transparent scene cannot be a JPEG, as preset {', '.join(opaque)} makes; "
            "use preset cutout-png, or another scene."
        )
