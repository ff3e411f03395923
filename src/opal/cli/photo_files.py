"""Finding photos on disk and naming the folders of their results. Used by demo and process."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from opal.errors import InvalidInput
from opal.items.file_names import unique_stems

_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".gif", ".bmp"}
)


def find_photos(places: Iterable[Path]) -> list[Path]:
    """Files as named, and everything that looks like a picture in the folders named, sorted, once each.

    Raises ``InvalidInput`` for a place that does not exist.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = (path for path in place.rglob("*") if path.is_file() and not _hidden(path, place))
            found += sorted(path for path in inside if path.suffix.lower() in _ENDINGS)
        elif place.exists():
            found.append(place)
        else:
            raise InvalidInput(f"{place} does not exist.")
    # The same file through two arguments is one photo.
    return list({path.resolve(): path for path in found}.values())


def result_folders(photos: Sequence[Path], in_use: Iterable[str] = ()) -> list[str]:
    """One folder name per photo: its stem, made unique where two photos share it or it is `in_use`."""
    return unique_stems((photo.name for photo in photos), in_use)


def _hidden(path: Path, top: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(top).parts)
