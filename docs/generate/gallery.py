"""`make gallery`: look at every sample's cut-out, and at every scene with every kind of shadow.

Writes the pictures and the page docs/gallery/README.md. What a person saw in them stands in
docs/gallery/seen.toml, which also says which part of a product is shown closely and which product stands in
a scene. Samples that are not shipped are shown where `make samples` has rendered them. With `--full DIR` the
same sheets go to DIR at three times the size, to be looked at.
"""

import argparse
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.generate import gallery_pictures as pictures
from docs.generate.gallery_pictures import Sample

from opal.cutout.engines import DEFAULT_ENGINE, load_engine
from opal.images.decode import decode_photo
from opal.placement.scene import NAMED_SCENES, BackdropScene
from opal.settings import load_settings
from studio.cache import cache_folder, is_rendered
from studio.index import read_index

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "gallery"
SAMPLES = ROOT / "samples"
_FULL = 3
"""How many times as large sheets are that are only looked at."""
_QUALITY, _FULL_QUALITY = 72, 92
"""Of JPEG. The whole gallery is to stay below 1.5 MB."""
_FOOT = (0.5, 0.95)

_HEAD = """\
# Gallery

Written by `make gallery` on the samples with the default engine, `{engine}`. What is said of a picture is
from `seen.toml`, by a person who looked at it at full size. All are composed by Opal itself, each tile at the
size that it has here.

A cut-out is shown on white, on black and on magenta, because each hides other faults: white hides light rims,
black dark ones, and nothing looks natural on magenta. The last picture is a part of it at 100 %.
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What `seen.toml` says."""

    samples: dict[str, dict[str, Any]]
    scenes: dict[str, dict[str, Any]]
    backdrop: dict[str, Any]

    @classmethod
    def read(cls) -> "Seen":
        """The file as it is now; raises KeyError where a part is missing."""
        told = tomllib.loads((FOLDER / "seen.toml").read_text("utf-8"))
        return cls(told["samples"], told["scenes"], told["backdrop"])


def photos() -> Iterator[tuple[str, Path]]:
    """Every sample that is there, by name: the shipped ones, then the rendered ones; none of them twice."""
    for folder in (SAMPLES, cache_folder()):
        if (folder / "samples.toml").is_file():
            for sample in read_index(folder):
                if is_rendered(sample, folder) and not sample["name"].endswith("-large"):
                    yield sample["name"], folder / sample["photo"]


def cut_out_all() -> dict[str, Sample]:
    """Every sample, cut out by the default engine."""
    engine = load_engine(DEFAULT_ENGINE, load_settings().models_dir)
    products = {}
    for name, path in photos():
        if name not in products:
            photo = decode_photo(path)
            products[name] = Sample(name, photo, engine.cut_out(photo))
            _say(f"cut out {name}")
    return products


def draw_all(products: dict[str, Sample], seen: Seen, folder: Path, enlarge: int) -> list[str]:
    """Write every picture into `folder`; returns the page's lines about them."""
    folder.mkdir(parents=True, exist_ok=True)
    quality = _FULL_QUALITY if enlarge > 1 else _QUALITY
    lines = ["## Cut-outs", ""]
    for name, product in products.items():
        told = seen.samples.get(name, {})
        edge = told.get("edge", _FOOT)
        pictures.write(
            folder / f"{name}.jpg", pictures.strip(product, (edge[0], edge[1]), enlarge), 5, quality
        )
        confidence = " ".join([f"Confidence {product.cutout.confidence:.2f}.", *product.cutout.reasons])
        lines += _entry(name, confidence, told)
    lines += ["## Scenes", ""]
    for named in NAMED_SCENES:
        told = seen.scenes.get(named.name, {})
        product = _first(products, told.get("products", ()))
        file = f"scene-{named.name}"
        pictures.write(
            folder / f"{file}.jpg", pictures.scene_tiles(product, named.scene, enlarge), 3, quality
        )
        lines += _entry(file, named.description, told, f"`{named.name}`")
    product, told = _first(products, seen.backdrop["products"]), seen.backdrop
    picture = products[told["picture"]].photo
    scene = BackdropScene(picture=told["picture"], **told["scene"])
    tiles = pictures.backdrop_tiles(product, scene, picture, enlarge)
    pictures.write(folder / "backdrop.jpg", tiles, 5, quality)
    words = f"The sample `{told['picture']}` as the picture that {product.name} is put into."
    return [*lines, *_entry("backdrop", words, told, "a backdrop")]


def _first(products: dict[str, Sample], wanted: list[str]) -> Sample:
    """The first of the wanted products that is there, else the first of all."""
    return products[next((name for name in wanted if name in products), next(iter(products)))]


def _entry(file: str, facts: str, told: dict[str, Any], title: str | None = None) -> list[str]:
    heading = f"### {title or f'`{file}`'}"
    return [heading, "", f"![{file}]({file}.jpg)", "", facts, "", told.get("seen", "Not looked at yet."), ""]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Write the gallery, or its sheets at full size; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate.gallery", description=__doc__)
    parser.add_argument("--full", type=Path, metavar="DIR", help="write large sheets into DIR instead")
    told = parser.parse_args(arguments)
    products, seen = cut_out_all(), Seen.read()
    if told.full is not None:
        draw_all(products, seen, told.full, _FULL)
        return 0
    for old in FOLDER.glob("*.jpg"):
        old.unlink()
    lines = draw_all(products, seen, FOLDER, 1)
    page = "\n".join([_HEAD.format(engine=DEFAULT_ENGINE), *lines])
    (FOLDER / "README.md").write_text(f"{page.rstrip()}\n", "utf-8")
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    _say(f"{FOLDER.relative_to(ROOT)}: {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
