"""Signed pictures: every format, read back with C2PA's own reader, and nothing else changed in them."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest
import pyvips
from tests.unit.drawn_products import Product, mug
from tests.unit.signing_chain import Authority, new_authority, signing_files
from tests.unit.timestamp_authority import timestamp_authority

from opal.content_credentials.manifest import Making, manifest_of
from opal.content_credentials.read import UNTRUSTED, read_content_credentials
from opal.content_credentials.sign import PictureSigner
from opal.errors import SigningFailed
from opal.export_worker.create_variants import Variant, create_variants
from opal.images.decode import decode_photo
from opal.images.encode import MEDIA_TYPE, OutputFormat, encode
from opal.images.finished import read_finished
from opal.images.metadata import DigitalSourceType, read_digital_source_type
from opal.images.photo import Photo
from opal.images.sniff import ImageFormat
from opal.marketplaces.presets import Preset, load_presets
from opal.marketplaces.rule import Rule
from opal.placement.placement import Placement
from opal.placement.scene import StudioScene

pytestmark = pytest.mark.xdist_group("content-credentials")

PRESETS = load_presets()
FORMATS: tuple[OutputFormat, ...] = ("jpeg", "png", "webp", "avif", "tiff")
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def small(name: str) -> Preset:
    """A preset at a size that keeps the tests quick; its rules, which speak of its own size, left out."""
    preset = PRESETS[name]
    if preset.width is None or preset.height is None:
        return preset
    return preset.model_copy(update={"width": preset.width // 4, "height": preset.height // 4, "rules": ()})


# One of each format, and a progressive JPEG.
OF_EACH = {
    preset.format: preset
    for preset in (
        small("square-1x1"),
        small("cutout-png"),
        small("thumbnail-webp"),
        small("thumbnail-avif"),
        small("print-tiff"),
    )
}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority()


@pytest.fixture(scope="module")
def signer(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> PictureSigner:
    signer = PictureSigner.of(signing_files(tmp_path_factory.mktemp("signer"), authority))
    assert signer is not None
    return signer


@pytest.fixture(scope="module")
def drawn() -> Product:
    return mug(600, 520)


@pytest.fixture(scope="module")
def original(drawn: Product) -> bytes:
    data: bytes = drawn.photo.pixels.jpegsave_buffer(Q=95)
    return data


@pytest.fixture(scope="module")
def photo(original: bytes) -> Photo:
    return decode_photo(original)


Make = Callable[..., list[Variant]]


@pytest.fixture(scope="module")
def make(photo: Photo, drawn: Product) -> Make:
    def made(presets: list[Preset], signer: PictureSigner | None) -> list[Variant]:
        scene = StudioScene(look="warm")
        return create_variants(photo, drawn.matte, scene, Placement(), presets, seed=5, signer=signer)

    return made


@pytest.fixture(scope="module")
def signed(make: Make, signer: PictureSigner) -> dict[str, Variant]:
    return {variant.format: variant for variant in make(list(OF_EACH.values()), signer)}


@pytest.fixture(scope="module")
def unsigned(make: Make) -> dict[str, Variant]:
    return {variant.format: variant for variant in make(list(OF_EACH.values()), None)}


@pytest.fixture
def making(photo: Photo) -> Making:
    return Making(
        title="square.jpg",
        original=photo.source,
        own_cutout=False,
        ground="studio",
        backdrop=None,
        scale=0.5,
        straightened_degrees=0.0,
        relit=False,
        digital_source_type=DigitalSourceType.COMPOSITE,
    )


def manifest(data: bytes, output: OutputFormat) -> dict[str, Any]:
    """What the library's own reader finds, with nothing of ours in between."""
    with c2pa.Reader(MEDIA_TYPE[output], io.BytesIO(data)) as reader:
        told: dict[str, Any] = json.loads(reader.json())
    assert told["validation_state"] == "Valid"
    assert [each["code"] for each in told["validation_status"]] == [UNTRUSTED]
    active: dict[str, Any] = told["manifests"][told["active_manifest"]]
    return active


def actions(active: dict[str, Any]) -> list[dict[str, Any]]:
    found = [each for each in active["assertions"] if each["label"].startswith("c2pa.actions")]
    done: list[dict[str, Any]] = found[0]["data"]["actions"]
    return done


def embedded(data: bytes) -> dict[str, bytes]:
    """EXIF, XMP and profile as they stand in the file."""
    picture = pyvips.Image.new_from_buffer(data, "")
    names = ("exif-data", "xmp-data", "icc-profile-data")
    return {name: bytes(picture.get(name)) for name in names if name in picture.get_fields()}


@pytest.mark.parametrize("output", FORMATS)
def test_the_librarys_own_reader_confirms_every_format(
    signed: dict[str, Variant], original: bytes, output: OutputFormat
) -> None:
    variant = signed[output]
    active = manifest(variant.data, output)
    done = actions(active)
    expected = ["c2pa.opened", "c2pa.edited", "c2pa.resized", "c2pa.placed", "c2pa.converted"]
    if output == "jpeg":
        expected.remove("c2pa.converted")
    if variant.scale == 1.0:
        expected.remove("c2pa.resized")
    assert [each["action"] for each in done] == expected
    assert done[1]["description"] == "Background removed"
    digest = hashlib.sha256(original).hexdigest()
    assert [(each["relationship"], each["description"]) for each in active["ingredients"]] == [
        ("parentOf", f"sha256:{digest}"),
        ("componentOf", f"sha256:{digest}"),
    ]
    assert active["title"] == f"{variant.preset}.{variant.extension}"
    assert active["claim_generator_info"][0]["name"] == "Opal"
    assert active["signature_info"]["common_name"] == "Acme Pictures"


def test_the_signer_answers_for_all_that_is_said(signed: dict[str, Variant]) -> None:
    with c2pa.Reader("image/jpeg", io.BytesIO(signed["jpeg"].data)) as reader:
        told = json.loads(reader.detailed_json())
    claim = told["manifests"][told["active_manifest"]]["claim"]
    labels = [each["url"].rsplit("/", 1)[-1] for each in claim["created_assertions"]]
    assert {"c2pa.actions.v2", "c2pa.ingredient.v3", "c2pa.hash.data"} <= set(labels)
    assert "gathered_assertions" not in claim


@pytest.mark.parametrize("output", FORMATS)
def test_source_type_of_metadata_and_manifest_agree(signed: dict[str, Variant], output: OutputFormat) -> None:
    variant = signed[output]
    told = [each.get("digitalSourceType") for each in actions(manifest(variant.data, output))]
    in_manifest = [each.removeprefix(VOCABULARY) for each in told if each is not None]
    in_xmp = read_digital_source_type(variant.data)
    assert in_manifest == ([] if in_xmp is None else [in_xmp])
    assert in_xmp == variant.digital_source_type
    assert (in_xmp is None) == (output == "png")  # the cut-out says nothing, the sets say composite


@pytest.mark.parametrize("output", FORMATS)
def test_signing_changes_no_pixel_and_no_metadata(
    signed: dict[str, Variant], unsigned: dict[str, Variant], output: OutputFormat
) -> None:
    with_manifest, without = read_finished(signed[output].data), read_finished(unsigned[output].data)
    assert (with_manifest.pixels == without.pixels).all()
    assert replace(with_manifest, pixels=without.pixels, bytes=without.bytes) == without
    assert embedded(signed[output].data) == embedded(unsigned[output].data)
    assert signed[output].sha256 == hashlib.sha256(signed[output].data).hexdigest()
    grown = len(signed[output].data) - len(unsigned[output].data)
    assert 3_000 < grown < 6_000
    assert read_content_credentials(unsigned[output].data, MEDIA_TYPE[output]) is None


@pytest.mark.parametrize("output", FORMATS)
def test_whoever_trusts_the_authority_trusts_the_picture(
    signed: dict[str, Variant], authority: Authority, output: OutputFormat
) -> None:
    data, trusted = signed[output].data, authority.pem.decode()
    read = read_content_credentials(data, MEDIA_TYPE[output], trusted=trusted)
    assert read is not None
    assert (read.state, read.problems, read.broken) == ("Trusted", (), False)
    stranger = new_authority().pem.decode()
    read = read_content_credentials(data, MEDIA_TYPE[output], trusted=stranger)
    assert read is not None
    assert (read.state, read.problems) == ("Valid", (UNTRUSTED,))


@pytest.mark.parametrize("output", FORMATS)
def test_one_changed_byte_breaks_it(signed: dict[str, Variant], output: OutputFormat) -> None:
    altered = bytearray(signed[output].data)
    place = altered.find(b"Background removed")
    altered[place] ^= 1
    read = read_content_credentials(bytes(altered), MEDIA_TYPE[output])
    assert read is not None
    assert read.broken
    assert "assertion.hashedURI.mismatch" in read.problems


def test_one_changed_pixel_breaks_it(signed: dict[str, Variant]) -> None:
    altered = bytearray(signed["jpeg"].data)
    altered[-2_000] ^= 1
    read = read_content_credentials(bytes(altered), "image/jpeg")
    assert read is not None
    assert (read.state, read.broken) == ("Invalid", True)
    assert "assertion.dataHash.mismatch" in read.problems


def test_a_manifest_damaged_beyond_reading_is_said_to_be_there(signed: dict[str, Variant]) -> None:
    altered = signed["jpeg"].data.replace(b"jumb", b"zzzz", 1)
    read = read_content_credentials(altered, "image/jpeg")
    assert read is not None
    assert (read.state, read.broken) == ("Unreadable", True)


def test_unsigned_pictures_are_the_same_bytes_and_signed_ones_never(
    make: Make, signer: PictureSigner, signed: dict[str, Variant], unsigned: dict[str, Variant]
) -> None:
    assert make([OF_EACH["jpeg"]], None)[0].sha256 == unsigned["jpeg"].sha256
    assert make([OF_EACH["jpeg"]], signer)[0].sha256 != signed["jpeg"].sha256


@pytest.mark.parametrize("output", ["jpeg", "webp", "avif"])
def test_a_byte_budget_counts_the_signature(make: Make, signer: PictureSigner, output: OutputFormat) -> None:
    # Large enough for a signature to be a small part of it.
    preset = OF_EACH[output].model_copy(update={"width": 900, "height": 900, "lowest_quality": 20})
    alone = len(make([preset], None)[0].data)
    # The picture would fit as it is; with its signature it has to give way.
    held = preset.model_copy(update={"max_bytes": alone + 1_000})
    assert len(make([held], None)[0].data) == alone
    [variant] = make([held], signer)
    assert alone * 0.6 < len(variant.data) <= alone + 1_000


def test_a_canvas_made_smaller_for_its_budget_is_signed_as_it_became(
    make: Make, signer: PictureSigner, signed: dict[str, Variant]
) -> None:
    rules = (Rule(rule="shortest_side", minimum=100), Rule(rule="bytes", maximum=1))
    most = len(signed["jpeg"].data) // 2
    changes = {"lowest_quality": 95, "max_bytes": most, "rules": rules}
    [variant] = make([OF_EACH["jpeg"].model_copy(update=changes)], signer)
    assert len(variant.data) <= most
    assert variant.width < signed["jpeg"].width
    assert "size lowered from" in str(variant.compliance[1].fixed)
    [resized] = [each for each in actions(manifest(variant.data, "jpeg")) if each["action"] == "c2pa.resized"]
    assert f"{variant.scale:.4f}".rstrip("0") in resized["description"]


def test_least_bytes_count_the_signature_too(
    make: Make, signer: PictureSigner, unsigned: dict[str, Variant]
) -> None:
    # Too small without its signature, and so raised; large enough with it, and so left as it is.
    least = len(unsigned["jpeg"].data) + 2_000
    preset = OF_EACH["jpeg"].model_copy(update={"min_bytes": least})
    [alone], [with_signature] = make([preset], None), make([preset], signer)
    assert len(alone.data) >= least
    assert least <= len(with_signature.data)
    assert (read_finished(with_signature.data).pixels == read_finished(unsigned["jpeg"].data).pixels).all()


@pytest.mark.parametrize("output", FORMATS)
def test_the_growth_is_known_beforehand(signer: PictureSigner, making: Making, output: OutputFormat) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (160, 200, 3), np.uint8)
    data = encode(noise, output)
    told = signer.growth(output, making)
    assert abs(len(signer.sign(data, output, making)) - len(data) - told) < 64


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"scale": 1.0}, ["opened", "edited", "placed"]),
        ({}, ["opened", "edited", "resized", "placed"]),
        (
            {"straightened_degrees": 2.5, "relit": True},
            ["opened", "edited", "orientation", "resized", "color_adjustments", "placed"],
        ),
    ],
)
def test_only_what_was_done_is_told(
    signer: PictureSigner, making: Making, changes: dict[str, Any], expected: list[str]
) -> None:
    data = signer.sign(encode(np.zeros((9, 9, 3), np.uint8), "jpeg"), "jpeg", replace(making, **changes))
    told = actions(manifest(data, "jpeg"))
    assert [each["action"].removeprefix("c2pa.") for each in told] == expected


def test_a_backdrop_is_an_ingredient_with_its_own_hash(signer: PictureSigner, making: Making) -> None:
    backdrop = replace(making.original, sha256="b" * 64, format=ImageFormat.PNG)
    told = replace(
        making,
        ground="backdrop",
        backdrop=backdrop,
        digital_source_type=DigitalSourceType.COMPOSITE_CAPTURE,
    )
    data = signer.sign(encode(np.zeros((9, 9, 3), np.uint8), "jpeg"), "jpeg", told)
    read = read_content_credentials(data, "image/jpeg")
    assert read is not None
    assert [(each.title, each.format, each.sha256) for each in read.ingredients[1:]] == [
        ("Product, cut out of the original photo", "image/jpeg", making.original.sha256),
        ("Backdrop", "image/png", "b" * 64),
    ]
    placed = next(each for each in read.actions if each.action == "c2pa.placed")
    assert placed.digital_source_type == "compositeCapture"
    assert placed.ingredients == ("Product, cut out of the original photo", "Backdrop")


def test_a_photo_that_was_cut_out_already_is_not_said_to_have_been(making: Making) -> None:
    told = json.dumps(manifest_of(replace(making, own_cutout=True), "jpeg"))
    assert "Background removed" not in told
    assert "own transparency" in told


def test_a_halved_photo_is_measured_against_the_file(making: Making) -> None:
    told = manifest_of(replace(making, original=replace(making.original, halved=True)), "jpeg")
    assert "Product at 0.25 of its size in the photo" in json.dumps(told)


def test_an_authority_for_timestamps_that_is_away_fails_the_picture_alone(tmp_path: Path) -> None:
    settings = signing_files(tmp_path).model_copy(update={"timestamp_url": "http://127.0.0.1:9/"})
    signer = PictureSigner.of(settings)
    assert signer is not None
    with pytest.raises(SigningFailed) as told:
        signer.try_out()
    assert told.value.retryable
    assert "PRIVATE" not in told.value.message


def test_a_timestamp_is_signed_in_and_its_size_was_known(
    tmp_path: Path, authority: Authority, making: Making
) -> None:
    with timestamp_authority(tmp_path, authority) as url:
        settings = signing_files(tmp_path, authority).model_copy(update={"timestamp_url": url})
        signer = PictureSigner.of(settings)
        assert signer is not None
        data = encode(np.zeros((90, 90, 3), np.uint8), "jpeg")
        signed = signer.sign(data, "jpeg", making)
    read = read_content_credentials(signed, "image/jpeg")
    assert read is not None
    assert (read.broken, read.signer) == (False, "Acme Pictures")
    assert read.signed_at is not None
    assert abs(len(signed) - len(data) - signer.growth("jpeg", making)) < 64
