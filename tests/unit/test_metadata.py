"""What a picture says about its own making, and how it is read back from any program's XMP."""

from xml.etree import ElementTree as ET

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.photo_files import codes, image

from opal.errors import InvalidPhoto
from opal.images.metadata import DigitalSourceType, PictureMetadata, read_digital_source_type, xmp_packet

NAMES = {
    "CreatorTool": "{http://ns.adobe.com/xap/1.0/}CreatorTool",
    "Headline": "{http://ns.adobe.com/photoshop/1.0/}Headline",
    "DigitalSourceType": "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType",
}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
SECURE = "https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
URI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def attributes(metadata: PictureMetadata) -> dict[str, str]:
    description = ET.fromstring(xmp_packet(metadata)).find(f"{RDF}RDF/{RDF}Description")  # our own packet
    assert description is not None
    return description.attrib


def tagged(packet: str) -> bytes:
    """A picture as another program might have tagged it."""
    picture = image(codes())
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", packet.encode())
    data: bytes = picture.jpegsave_buffer(keep="xmp")
    return data


def test_a_plain_picture_names_only_its_maker() -> None:
    said = attributes(PictureMetadata())
    assert said[NAMES["CreatorTool"]] == "Opal"
    assert NAMES["DigitalSourceType"] not in said
    assert NAMES["Headline"] not in said


@pytest.mark.parametrize("kind", DigitalSourceType)
def test_each_source_type_is_written_as_its_address(kind: DigitalSourceType) -> None:
    said = attributes(PictureMetadata(digital_source_type=kind))
    assert said[NAMES["DigitalSourceType"]] == f"http://cv.iptc.org/newscodes/digitalsourcetype/{kind.value}"


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60))
def test_a_title_of_any_letters_keeps_the_packet_well_formed(title: str) -> None:
    assert attributes(PictureMetadata(title=title))[NAMES["Headline"]] == title


@pytest.mark.parametrize(
    "packet",
    [
        f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{URI}"/>',
        f"<rdf:Description Iptc4xmpExt:DigitalSourceType = '{URI}'/>",
        f"<Iptc4xmpExt:DigitalSourceType>{URI}</Iptc4xmpExt:DigitalSourceType>",
        f"<Iptc4xmpExt:DigitalSourceType>\n  {SECURE}\n</Iptc4xmpExt:DigitalSourceType>",
        f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{URI}"/>',
    ],
)
def test_every_spelling_of_xmp_is_read(packet: str) -> None:
    assert read_digital_source_type(tagged(packet)) == "trainedAlgorithmicMedia"


@pytest.mark.parametrize(
    "packet",
    [
        "<x/>",
        '<d DigitalSourceType=""/>',
        '<d DigitalSourceType="http://example.com/trainedAlgorithmicMedia"/>',
    ],
)
def test_other_xmp_says_nothing(packet: str) -> None:
    assert read_digital_source_type(tagged(packet)) is None


def test_a_picture_without_xmp_says_nothing_and_no_picture_is_refused() -> None:
    assert read_digital_source_type(image(codes()).pngsave_buffer()) is None
    with pytest.raises(InvalidPhoto):
        read_digital_source_type(b"no picture")
