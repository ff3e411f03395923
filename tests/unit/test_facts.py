"""What any picture file says of itself, and what it does not."""

import numpy as np
import pytest
import pyvips
from tests.unit.photo_files import codes, image

from opal.errors import PhotoTruncated, TooManyPixels
from opal.images.encode import OutputFormat, encode
from opal.images.facts import read_facts
from opal.images.limits import Limits
from opal.images.metadata import DigitalSourceType, PictureMetadata

FORMATS: tuple[OutputFormat, ...] = ("jpeg", "png", "webp", "avif", "tiff")


@pytest.mark.parametrize("output", FORMATS)
def test_every_format_of_ours_says_all_of_it(output: OutputFormat) -> None:
    metadata = PictureMetadata(digital_source_type=DigitalSourceType.COMPOSITE)
    data = encode(np.full((30, 40, 3), 90, np.uint8), output, dpi=300, metadata=metadata)
    facts = read_facts(data, Limits())
    assert (facts.format, facts.media_type, facts.bytes) == (output, f"image/{output}", len(data))
    assert (facts.width, facts.height, facts.bits, facts.has_alpha, facts.frames) == (40, 30, 8, False, 1)
    assert (facts.profile, facts.dpi) == ("sRGB", 300)
    assert (facts.digital_source_type, facts.creator_tool) == ("composite", "Opal")


@pytest.mark.parametrize("ending", [".png", ".webp", ".avif", ".tif", ".gif"])
def test_what_a_file_does_not_say_is_not_made_up(ending: str) -> None:
    options = "" if ending == ".gif" else "[keep=none]"
    facts = read_facts(image(codes()).write_to_buffer(ending + options), Limits())
    said = (facts.profile, facts.dpi, facts.digital_source_type, facts.creator_tool)
    assert said == (None, None, None, None)


@pytest.mark.parametrize(
    ("packet", "tool"),
    [
        ('<d xmp:CreatorTool="A &amp; B &quot;2&quot;"/>', 'A & B "2"'),
        ("<d xmp:CreatorTool='Single'/>", "Single"),
        ("<xmp:CreatorTool>Element 1.0</xmp:CreatorTool>", "Element 1.0"),
        ('<d xmp:CreatorTool=""/>', None),
        (f'<d xmp:CreatorTool="{"x" * 500}"/>', "x" * 120),
        ('<d xmp:CreatorTool="\x1b[2Jred"/>', "[2Jred"),
        ("<d/>", None),
    ],
)
def test_the_maker_is_read_in_every_spelling_and_kept_short(packet: str, tool: str | None) -> None:
    picture = image(codes())
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", packet.encode())
    assert read_facts(picture.jpegsave_buffer(keep="xmp"), Limits()).creator_tool == tool


def test_exif_names_the_maker_where_xmp_does_not() -> None:
    picture = image(codes())
    picture.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Software", "Darkroom 3.1")
    assert read_facts(picture.jpegsave_buffer(keep="exif"), Limits()).creator_tool == "Darkroom 3.1"


def test_a_small_picture_and_a_film_are_pictures_too() -> None:
    frames = np.random.default_rng(1).integers(0, 255, (24, 8, 3), np.uint8)
    film = pyvips.Image.new_from_array(frames).copy(interpretation="srgb")
    film.set_type(pyvips.GValue.gint_type, "page-height", 8)
    facts = read_facts(film.gifsave_buffer(), Limits())
    assert (facts.width, facts.height, facts.frames) == (8, 8, 3)


def test_damage_at_the_very_end_is_found_and_limits_hold() -> None:
    noise = np.random.default_rng(2).integers(0, 255, (200, 300, 3), np.uint8)
    data = encode(noise, "jpeg")
    with pytest.raises(PhotoTruncated):
        read_facts(data[:-3_000], Limits())
    with pytest.raises(TooManyPixels):
        read_facts(data, Limits(max_pixels=50_000))
