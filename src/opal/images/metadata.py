"""What a written picture says about its own making: the XMP packet with IPTC's DigitalSourceType.

Called by encode (to write), and by decode, finished and facts (to read back).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from xml.sax.saxutils import quoteattr, unescape

import pyvips

from opal.images.loaders import read_header
from opal.images.sniff import sniff

_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class DigitalSourceType(StrEnum):
    """IPTC NewsCodes for how a picture came to be; only those Opal may have to write."""

    COMPOSITE = "composite"
    """Several elements, none of which has to be generated: a photographed product on a computed set."""
    COMPOSITE_CAPTURE = "compositeCapture"
    """Several elements that are all captures of real life: a photographed product on a photograph."""
    COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA = "compositeWithTrainedAlgorithmicMedia"
    """A real product in a scene that a generative model drew."""
    TRAINED_ALGORITHMIC_MEDIA = "trainedAlgorithmicMedia"
    """Wholly by a generative model; Google Merchant asks for it on any generated picture."""
    COMPOSITE_SYNTHETIC = "compositeSynthetic"
    """Several elements, at least one of them by generative AI (IPTC's definition since 2024)."""
    ALGORITHMIC_MEDIA = "algorithmicMedia"
    """Drawn by an algorithm that learned from nothing."""

    @property
    def uri(self) -> str:
        """The vocabulary's address of this value, which is what XMP holds."""
        return _VOCABULARY + self.value


@dataclass(frozen=True, slots=True)
class PictureMetadata:
    """What to write into a picture. The photo's own EXIF (place, camera, person) is never copied."""

    software: str = "Opal"
    digital_source_type: DigitalSourceType | None = None
    title: str | None = None


def xmp_packet(metadata: PictureMetadata) -> bytes:
    """The XMP packet as UTF-8 (XMP specification part 1; IPTC Photo Metadata 2023.2 extension)."""
    attributes = [f"xmp:CreatorTool={quoteattr(metadata.software)}"]
    if metadata.digital_source_type is not None:
        attributes.append(f"Iptc4xmpExt:DigitalSourceType={quoteattr(metadata.digital_source_type.uri)}")
    if metadata.title is not None:
        attributes.append(f"photoshop:Headline={quoteattr(metadata.title)}")
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about=""'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        + " ".join(attributes)
        + '/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def read_digital_source_type(picture: bytes) -> str | None:
    """The DigitalSourceType a JPEG, PNG or WebP carries (its short name), or None.

    Raises InvalidPhoto for bytes that are no picture.
    """
    return told_source_type(read_header(picture, sniff(picture), strict=False))


def told_source_type(image: pyvips.Image) -> str | None:
    """The DigitalSourceType (its short name) in the XMP of an opened picture, or None.

    Reads attribute, element and resource form, as other programs may have written it.
    """
    found = re.search(
        r"DigitalSourceType\s*(?:(?:rdf:resource\s*)?=\s*[\"']|[^>]*>)"
        r"\s*https?://cv\.iptc\.org/[\w/]*/(\w+)",
        _packet(image),
    )
    return found.group(1) if found else None


def told_creator_tool(image: pyvips.Image) -> str | None:
    """The program that an opened picture names as its maker, by XMP or else by EXIF; None without.

    Other people's words: at most 120 printable characters of them.
    """
    found = re.search(
        r"\bCreatorTool\s*(?:=\s*(?:\"([^\"]*)\"|'([^']*)')|>([^<]*)<)", _packet(image)
    )  # fmt: skip
    if found is not None:
        told = unescape(next(group for group in found.groups() if group is not None), {"&quot;": '"'})
    elif "exif-ifd0-Software" in image.get_fields():
        # libvips appends what EXIF's entry is: "Opal (Opal, ASCII, 5 components, 5 bytes)".
        told = re.sub(r" \(.*, ASCII, \d+ components, \d+ bytes\)$", "", str(image.get("exif-ifd0-Software")))
    else:
        return None
    return "".join(c for c in told if c.isprintable())[:120].strip() or None


def _packet(image: pyvips.Image) -> str:
    """The XMP packet of an opened picture; empty without one."""
    if "xmp-data" not in image.get_fields():
        return ""
    return bytes(image.get("xmp-data")).decode("utf-8", "replace")
