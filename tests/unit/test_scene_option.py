"""What `--scene` may say: a name, JSON, a file of JSON with a backdrop's picture; every way to be wrong."""

import json
import shutil
from pathlib import Path

import pytest
from tests.unit.drawn_backdrops import picture_bytes, room_codes

from opal.cli.scene_option import ChosenScene, choose_scene
from opal.errors import BackdropTooSmall, BackdropUnusable, InvalidScene, OpalError, UnknownScene
from opal.images.limits import Limits
from opal.marketplaces.presets import resolve_presets
from opal.placement.scene import BackdropScene, SolidScene, StudioScene

PRESETS = resolve_presets(["square-1x1", "cutout-png"])


def choose(option: str) -> ChosenScene:
    return choose_scene(option, Limits(), PRESETS)


def scene_file(folder: Path, picture: str = "room.png", **fields: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "room.png").write_bytes(picture_bytes(room_codes()))
    path = folder / "kitchen.json"
    path.write_text(json.dumps({"kind": "backdrop", "picture": picture, **fields}), "utf-8")
    return path


def test_a_name_and_inline_json_are_scenes() -> None:
    assert choose("studio-warm").scene == StudioScene(look="warm")
    chosen = choose('{"kind": "solid", "colour": "#e8e4dc"}')
    assert (chosen.scene, chosen.backdrop) == (SolidScene(colour="#e8e4dc"), None)


def test_a_relative_picture_lies_beside_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scene_file(tmp_path / "scenes", ground=0.7)
    chosen = choose(str(path))
    assert isinstance(chosen.scene, BackdropScene)
    assert chosen.scene.ground == 0.7
    assert chosen.backdrop is not None
    assert chosen.backdrop.width == 1200
    # Inline there is no file to begin at: the folder one stands in.
    monkeypatch.chdir(tmp_path / "scenes")
    inline = choose('{"kind": "backdrop", "picture": "room.png", "ground": 0.7}')
    assert inline.key == chosen.key


def test_a_backdrop_counts_by_its_bytes(tmp_path: Path) -> None:
    path = scene_file(tmp_path / "one")
    before = choose(str(path)).key
    moved = tmp_path / "two"
    shutil.copytree(tmp_path / "one", moved)
    assert choose(str(moved / "kitchen.json")).key == before
    (moved / "room.png").write_bytes(picture_bytes(room_codes(floor=(1, 2, 3))))
    assert choose(str(moved / "kitchen.json")).key != before
    scene_file(moved, blur=0.2)
    assert choose(str(moved / "kitchen.json")).key != before


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (None, InvalidScene, "kitchen.json: No such file"),
        (b"{not json", InvalidScene, "kitchen.json is not valid JSON"),
        (b'"white"', InvalidScene, "kitchen.json is not a JSON object"),
        (b"\xff\xfe", InvalidScene, "kitchen.json: not text in UTF-8"),
        (b'{"kind": "backdrop", "picture": "lost.jpg"}', BackdropUnusable, "lost.jpg: No such file"),
        (b'{"kind": "backdrop", "picture": "."}', BackdropUnusable, "directory"),
        (b'{"kind": "backdrop", "picture": "kitchen.json"}', BackdropUnusable, "not a known picture"),
        (b'{"kind": "backdrop", "picture": "tiny.png"}', BackdropTooSmall, "tiny.png: The backdrop is 90"),
        (b'{"kind": "backdrop", "picture": "room.png", "ground": 7}', InvalidScene, "ground"),
        (b'{"kind": "backdrop", "picture": "a\\u0000b"}', InvalidScene, "picture"),
        (b'{"kind": "moon"}', InvalidScene, "moon"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, content: bytes | None, kind: type[OpalError], said: str
) -> None:
    scene_file(tmp_path)
    (tmp_path / "tiny.png").write_bytes(picture_bytes(room_codes(90, 90)))
    path = tmp_path / "kitchen.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(kind, match=said) as caught:
        choose(str(path))
    assert type(caught.value) is kind
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("option", "kind", "said"),
    [
        ('{"kind": ' + "[" * 20_000 + "]" * 20_000 + "}", InvalidScene, "nested too deeply"),
        ('{"kind": "studio", "seed": ' + "7" * 5000 + "}", InvalidScene, "too many digits"),
        ('{"kind": "studio", "seed": ' + "7" * 4000 + "}", InvalidScene, "seed"),
        ('{"kind": "backdrop", "picture": "~nouser/x.jpg"}', BackdropUnusable, "~nouser/x.jpg: there is no"),
    ],
    ids=["deep", "many digits", "digits", "no user"],
)
def test_inline_nonsense_is_one_line_too(option: str, kind: type[OpalError], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        choose(option)
    assert "\n" not in caught.value.message


def test_a_name_that_is_none_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownScene, match="studio-white"):
        choose("moon")


@pytest.mark.parametrize("option", ["transparent", '{"kind": "transparent"}'])
def test_a_transparent_scene_is_refused_for_a_jpeg_before_any_work(option: str) -> None:
    with pytest.raises(InvalidScene, match="preset square-1x1 makes; use preset cutout-png"):
        choose(option)
    assert choose_scene(option, Limits(), PRESETS[1:]).backdrop is None


def test_a_preset_too_large_for_the_backdrop_is_refused_before_any_work(tmp_path: Path) -> None:
    path = scene_file(tmp_path)
    large = [PRESETS[0].model_copy(update={"width": 4000, "height": 4000})]
    with pytest.raises(BackdropTooSmall, match=r"4000 × 4000"):
        choose_scene(str(path), Limits(), large)
