"""`failures.json` of a result folder: which photos failed, why, and how they were to be made.

Written by `process_folder.py` with every report, gone when no photo fails; `opal process --retry` reads it.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from opal import __version__
from opal.cli.process_journal import KeptSource
from opal.cli.report import ReportItem, write_report
from opal.cli.shown_name import ShownText, key_path, path_key, shown
from opal.cutout.engines import engine_file, names_a_file
from opal.errors import InvalidInput

FAILURES_NAME = "failures.json"


class RunOptions(BaseModel):
    """What a run was told; `folder` is where its relative paths begin."""

    folder: str
    scene: str
    placement: str
    presets: list[str]
    seed: int
    engine: str | None = None
    """A row of the engines' table, or the key of an ONNX file's absolute path; None, as in earlier lists, is
    the engine of the settings."""


class FailedPhoto(BaseModel):
    """A photo that failed; `photo` is its absolute path, or a file: URL where that is not UTF-8."""

    photo: str
    code: str
    message: ShownText
    recipe: str


class Failures(BaseModel):
    """All of a folder's failed photos, and the options that belong to their recipes, as far as known."""

    opal: str = __version__
    failures: list[FailedPhoto]
    options: dict[str, RunOptions]

    @classmethod
    def of(
        cls,
        failed: Iterable[tuple[KeptSource, ReportItem]],
        options: dict[str, RunOptions],
    ) -> "Failures":
        """The failures among what a folder holds, with the options of their recipes alone."""
        photos = [
            FailedPhoto(
                photo=source.path,
                code=item.error.code if item.error else item.status,
                message=item.error.message if item.error else "",
                recipe=source.recipe,
            )
            for source, item in failed
        ]
        used = {photo.recipe for photo in photos}
        return cls(failures=photos, options={key: told for key, told in options.items() if key in used})

    def save(self, out: Path) -> None:
        """Write the list whole or not at all; where nothing failed there is none. Raises OSError."""
        path = out / FAILURES_NAME
        if self.failures:
            write_report(self, path)
        else:
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Retry:
    """Failed photos that one recipe was for."""

    options: RunOptions
    photos: list[Path]

    @property
    def engine(self) -> str | None:
        """The engine that was meant, as the settings name it; None where nothing says which."""
        told = self.options.engine
        return str(key_path(told)) if told is not None and names_a_file(told) else told


def engine_key(engine: str) -> str:
    """An engine as `RunOptions` has it: a file is the same one wherever the retry is typed.

    Raises ModelMissing where its home folder is nobody's.
    """
    return path_key(engine_file(engine).absolute()) if names_a_file(engine) else engine


def read_failures(out: Path) -> Failures:
    """The folder's list, empty where there is none.

    Raises InvalidInput for a file of that name that is not ours, which is never overwritten.
    """
    path = out / FAILURES_NAME
    try:
        return Failures.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Failures(failures=[], options={})
    except ValidationError:
        raise InvalidInput(f"{path} is not a list of `opal process`; choose another --out.") from None


def retry_command(out: Path) -> str:
    """What a person types to do the failed photos again."""
    return f"opal process --retry {shlex.quote(shown(out))}"


def to_retry(out: Path) -> list[Retry]:
    """What `--retry` does again, recipe by recipe.

    Raises InvalidInput for what is no result folder, and where it is not known how a photo was to be made.
    """
    if not out.is_dir():
        raise InvalidInput(f"{out} is not a folder that `opal process` wrote.")
    told = read_failures(out)
    unknown = [photo.photo for photo in told.failures if photo.recipe not in told.options]
    if unknown:
        raise InvalidInput(
            f"{out} does not say how {unknown[0]} was to be made; run the command that made it again."
        )
    return [
        Retry(options, [key_path(photo.photo) for photo in told.failures if photo.recipe == recipe])
        for recipe, options in told.options.items()
    ]
