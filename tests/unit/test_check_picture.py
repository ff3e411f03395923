"""`opal check` judges a file by its own looks, and says what no file shows instead of passing it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.photo_files import codes, image

from opal.cli.check_picture import Judge, LateEngine, check_picture
from opal.cli.check_report import CheckedPicture, CheckedRule, CheckReport, broken_rows, summary_lines
from opal.cutout.interface import Cutout, CutoutEngine, EngineInfo
from opal.errors import ModelMissing, NoProductFound
from opal.images.encode import OutputFormat, encode
from opal.images.limits import Limits
from opal.images.metadata import DigitalSourceType, PictureMetadata
from opal.images.photo import Photo
from opal.marketplaces.presets import Preset, load_presets
from opal.marketplaces.rule import Rule

AMAZON = load_presets()["amazon-main"]
CUTOUT = load_presets()["cutout-png"]


@dataclass
class Darkness:
    """An engine for which the dark is the product; counts how often it is asked."""

    info: EngineInfo = field(default_factory=lambda: EngineInfo("darkness", "1", "none", "none"))
    asked: list[tuple[int, int]] = field(default_factory=list)

    def cut_out(self, photo: Photo) -> Cutout:
        self.asked.append((photo.width, photo.height))
        matte = (photo.pixels.numpy().mean(axis=2) < 128).astype(np.float32)
        if not matte.any():
            raise NoProductFound
        return Cutout(matte, 0.7, ("There are 2 separate subjects.",))


def judge(*presets: Preset, engine: CutoutEngine | None = None) -> Judge:
    def load() -> CutoutEngine:
        if engine is None:
            raise ModelMissing("no weights here")
        return engine

    return Judge(presets, LateEngine(load), Limits(), review_below=0.8)


def shop_picture(side: int = 2000, share: float = 0.9) -> NDArray[np.uint8]:
    pixels = np.full((side, side, 3), 255, np.uint8)
    edge = round(side * (1 - share) / 2)
    pixels[edge:-edge, edge:-edge] = (90, 20, 30)
    return pixels


def file(
    folder: Path, pixels: NDArray[np.uint8], name: str = "old.jpg", format_: OutputFormat = "jpeg"
) -> Path:
    path = folder / name
    path.write_bytes(encode(pixels, format_, 92))
    return path


def rules(picture: CheckedPicture) -> dict[str, CheckedRule]:
    """By name; of those that a channel both demands and advises, what it demands."""
    [preset] = picture.presets
    return {rule.rule: rule for rule in sorted(preset.rules, key=lambda each: each.level == "required")}


def test_a_right_picture_passes_and_what_no_file_shows_is_not_judged(tmp_path: Path) -> None:
    found = check_picture(file(tmp_path, shop_picture()), judge(AMAZON, engine=Darkness()))
    assert found.passed
    assert (found.product, found.confidence, found.review) == ("cut out", 0.7, True)
    verdicts = {name: rule.verdict for name, rule in rules(found).items()}
    assert verdicts.pop("upscaling") == verdicts.pop("ai_marking") == "not judged"
    assert set(verdicts.values()) == {"passed"}
    assert rules(found)["fill_share"].measured == pytest.approx(0.9, abs=0.001)
    assert rules(found)["upscaling"].measured is None


def test_every_broken_rule_is_told_with_its_measure(tmp_path: Path) -> None:
    pixels = shop_picture(side=400, share=0.5)
    pixels[pixels == 255] = 240
    found = check_picture(file(tmp_path, pixels, "old.png"), judge(AMAZON, engine=Darkness()))
    assert not found.passed
    failed = {name for name, rule in rules(found).items() if rule.broken}
    own = {"width", "height", "extension"}
    assert failed == {"longest_side", "fill_share", "background_border", "background_outside", *own}
    assert rules(found)["background_border"].measured == "240,240,240"
    assert rules(found)["longest_side"].measured == 400


def test_a_plain_file_of_low_quality_is_not_blamed_for_what_its_encoder_does(tmp_path: Path) -> None:
    path = tmp_path / "old.jpg"
    path.write_bytes(image(shop_picture()).jpegsave_buffer(Q=70, subsample_mode="on"))
    found = rules(check_picture(path, judge(AMAZON, engine=Darkness())))
    assert found["background_outside"].verdict == "passed", found["background_outside"]
    assert found["background_border"].verdict == "passed"


def test_a_files_own_transparency_is_its_product_and_no_engine_is_loaded(tmp_path: Path) -> None:
    alpha = np.zeros((400, 400), np.uint8)
    alpha[40:-40, 100:-100] = 255
    path = file(tmp_path, np.dstack([shop_picture(side=400), alpha]), "cut.png", "png")
    found = check_picture(path, judge(CUTOUT, AMAZON))
    assert (found.product, found.confidence) == ("own transparency", None)
    assert found.presets[0].passed
    amazon = {rule.rule: rule for rule in found.presets[1].rules}
    assert amazon["fill_share"].measured == pytest.approx(0.8)
    assert amazon["has_alpha"].broken
    # Nobody knows what a shop lays under it.
    assert amazon["background_border"].verdict == amazon["background_outside"].verdict == "not judged"


def test_an_engine_is_loaded_once_and_only_where_a_rule_needs_it(tmp_path: Path) -> None:
    plain = AMAZON.model_copy(update={"rules": (Rule(rule="width", minimum=100),)})
    path = file(tmp_path, shop_picture(side=400))
    found = check_picture(path, judge(plain))
    assert (found.passed, found.product) == (True, "not looked for")
    engine = Darkness()
    both = judge(AMAZON, load_presets()["bol-main"], engine=engine)
    check_picture(path, both)
    assert engine.asked == [(400, 400)]
    with pytest.raises(ModelMissing):
        check_picture(path, judge(AMAZON))


def test_an_empty_picture_fails_and_a_tiny_one_is_not_looked_into(tmp_path: Path) -> None:
    white = check_picture(
        file(tmp_path, np.full((400, 400, 3), 255, np.uint8)), judge(AMAZON, engine=Darkness())
    )
    assert (white.confidence, white.review) == (0.0, True)
    assert rules(white)["fill_share"].broken
    tiny = check_picture(file(tmp_path, codes(40, 30)), judge(AMAZON))
    assert rules(tiny)["longest_side"].broken
    assert rules(tiny)["fill_share"].verdict == "not judged"
    assert "too small" in str(rules(tiny)["fill_share"].why)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [(None, "not judged"), ("algorithmicMedia", "passed"), ("intelligentMedia", "failed")],
)
def test_a_mark_is_judged_where_there_is_one_to_read(tmp_path: Path, said: str | None, verdict: str) -> None:
    path = tmp_path / "old.tif"
    told = DigitalSourceType.ALGORITHMIC_MEDIA if said else None
    data = encode(codes(), "tiff", 90, metadata=PictureMetadata(digital_source_type=told))
    # Two words of one length, so that nothing else in the file moves.
    path.write_bytes(data if said is None else data.replace(b"algorithmicMedia", said.encode()))
    found = check_picture(path, judge(CUTOUT, engine=Darkness()))
    assert rules(found)["ai_marking"].verdict == verdict
    assert found.digital_source_type == said


def test_a_damaged_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    whole = file(tmp_path, shop_picture(side=400))
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:2000])
    both = judge(AMAZON, engine=Darkness())
    pictures = [check_picture(path, both) for path in (cut, tmp_path / "gone.jpg", whole)]
    codes_told = [picture.error.code if picture.error else None for picture in pictures]
    assert codes_told == ["image_truncated", "file_unusable", None]
    report = CheckReport.of(pictures, 1.0)
    assert (report.passed, report.failed, report.unreadable) == (0, 1, 2)
    assert {row[0] for row in broken_rows(report)} == {str(whole)}
    summary = "\n".join(summary_lines(report))
    assert "0 of 3 pictures keep every required rule" in summary
    assert "Not judged: upscaling (1), ai_marking (1)." in summary


def test_advice_is_told_after_what_is_required_and_fails_nothing(tmp_path: Path) -> None:
    advised = Rule(rule="width", minimum=4000, level="advised")
    preset = AMAZON.model_copy(update={"rules": (advised, Rule(rule="height", minimum=3000))})
    found = check_picture(file(tmp_path, shop_picture(side=400)), judge(preset))
    rows = broken_rows(CheckReport.of([found], 1.0))
    assert [(row[2], row[5]) for row in rows] == [("height", "required"), ("width", "advised")]
    kinder = AMAZON.model_copy(update={"rules": (advised,)})
    assert check_picture(file(tmp_path, shop_picture(side=400)), judge(kinder)).passed
