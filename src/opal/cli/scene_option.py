"""What `--scene` says: a scene's name, its JSON, or a file of JSON, with the picture of a backdrop.

Used by `process`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opal.cli.json_option import parse_json_object
from opal.errors import BackdropTooSmall, BackdropUnusable, InvalidScene
from opal.images.limits import Limits
from opal.images.photo import Photo
from opal.marketplaces.presets import Preset
from opal.marketplaces.scene_fit import check_scene_fits
from opal.placement.backdrop import decode_backdrop
from opal.placement.framing import check_enlargement
from opal.placement.scene import BackdropScene, Scene, resolve_scene


@dataclass(frozen=True, slots=True)
class ChosenScene:
    """A scene that can be painted."""

    scene: Scene
    backdrop: Photo | None
    key: str | dict[str, Any]
    """What makes pictures of it the same: a backdrop counts by its bytes, wherever its file lies."""


def choose_scene(
    option: str, limits: Limits, presets: Sequence[Preset], folder: Path = Path()
) -> ChosenScene:
    """Read the option, and a backdrop's picture, once for all photos.

    Relative paths begin at `folder`, those in a file of JSON at that file's own. Raises UnknownScene,
    InvalidScene, BackdropUnusable and BackdropTooSmall, each naming the file that is at fault.
    """
    told, folder = _told(option, folder)
    scene = resolve_scene(told)
    check_scene_fits(scene, presets)
    if not isinstance(scene, BackdropScene):
        return ChosenScene(scene, None, told)
    backdrop = _picture(_path(folder, scene.picture), limits)
    for preset in presets:
        if preset.ground == "scene" and preset.width is not None and preset.height is not None:
            check_enlargement(backdrop.width, backdrop.height, preset.width, preset.height)
    key = scene.model_dump(mode="json", by_alias=True) | {"picture": backdrop.source.sha256}
    return ChosenScene(scene, backdrop, key)


def _told(option: str, folder: Path) -> tuple[str | dict[str, Any], Path]:
    """The scene as data, and the folder where its relative paths begin."""
    if option.lstrip().startswith("{"):
        return parse_json_object(option, "The scene", InvalidScene), folder
    if not option.lower().endswith(".json"):
        return option, folder
    path = folder / option
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidScene(f"{path}: {_reason(error)}.") from error
    return parse_json_object(text, str(path), InvalidScene), path.parent


def _path(folder: Path, picture: str) -> Path:
    try:
        return folder / Path(picture).expanduser()
    except RuntimeError as error:
        raise BackdropUnusable(f"{picture}: there is no such user, or no home folder.") from error


def _picture(path: Path, limits: Limits) -> Photo:
    try:
        return decode_backdrop(path, limits)
    except OSError as error:
        raise BackdropUnusable(f"{path}: {_reason(error)}.") from error
    except (BackdropUnusable, BackdropTooSmall) as error:
        raise type(error)(f"{path}: {error.message}") from error


def _reason(error: OSError | UnicodeDecodeError) -> str:
    told = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
    return told or type(error).__name__
