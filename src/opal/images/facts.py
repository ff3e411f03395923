"""What any picture file says of itself, Opal's own or another's: size, profile, resolution, maker.

Called for `opal inspect`, in a process of `opal.decoder`. The whole file is decoded, in rows, so that damage
anywhere is found.
"""

from dataclasses import dataclass

import pyvips

from opal.images.damage import name_damage
from opal.images.finished import told_dots_per_inch
from opal.images.limits import Limits, admit, check, describe, whole_file
from opal.images.loaders import heic_unsupported, read_header
from opal.images.metadata import told_creator_tool, told_source_type
from opal.images.profile import embedded_profile, profile_name
from opal.images.sniff import ImageFormat, View


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """One file's own words; None where it says nothing."""

    format: str
    media_type: str
    bytes: int
    width: int
    height: int
    bits: int
    has_alpha: bool
    frames: int
    profile: str | None
    """Name of the embedded colour profile."""
    dpi: int | None
    digital_source_type: str | None
    """Short name of IPTC's vocabulary, by XMP."""
    creator_tool: str | None


def read_facts(data: View, limits: Limits) -> PictureFacts:
    """The facts of a whole and undamaged picture, of any number of frames and down to one pixel.

    Raises the InvalidPhoto that says what is wrong with it.
    """
    image_format = admit(data, limits)
    image = read_header(data, image_format, strict=True)
    header = describe(data, image_format, image)
    check(header, whole_file(limits))
    facts = PictureFacts(
        format=image_format.value,
        media_type=image_format.media_type,
        bytes=len(data),
        width=header.upright_size[0],
        height=header.upright_size[1],
        bits=header.bits,
        has_alpha=bool(image.hasalpha()),
        frames=header.frames,
        profile=profile_name(embedded_profile(image)),
        dpi=told_dots_per_inch(image, image_format),
        digital_source_type=told_source_type(image),
        creator_tool=told_creator_tool(image),
    )
    try:
        image.avg()
    except pyvips.Error as error:
        if image_format is ImageFormat.HEIC:
            raise heic_unsupported() from error
        raise name_damage(data, image_format) from error
    return facts
