"""exiftool, which knows nothing of us, confirms the metadata of every format that we write."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.exiftool import told_by_exiftool
from tests.unit.signing_chain import signing_files

from opal.content_credentials.manifest import Making
from opal.content_credentials.sign import PictureSigner
from opal.images.encode import EXTENSION, OutputFormat, encode
from opal.images.metadata import DigitalSourceType, PictureMetadata
from opal.images.photo import SourceInfo
from opal.images.sniff import ImageFormat

pytestmark = pytest.mark.xdist_group("content-credentials")

SOURCE_TYPE = DigitalSourceType.COMPOSITE_CAPTURE
TITLE = 'Tin "Lemon" & Söhne <1>'
MAKING = Making(
    title="tin.jpg",
    original=SourceInfo(ImageFormat.JPEG, 1, 50, 40, 1, None, 8, "a" * 64),
    own_cutout=False,
    ground="solid",
    backdrop=None,
    scale=0.5,
    straightened_degrees=0.0,
    relit=False,
    digital_source_type=SOURCE_TYPE,
)
FORMATS: tuple[OutputFormat, ...] = ("jpeg", "png", "webp", "avif", "tiff")
WAYS = (*FORMATS, "jpeg of a byte budget")
"""Every format as it is written, and a JPEG with all that makes it small."""
Told = dict[tuple[str, bool], dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Every format, unsigned and signed, in one run of exiftool."""
    folder = tmp_path_factory.mktemp("pictures")
    signer = PictureSigner.of(signing_files(folder))
    assert signer is not None
    metadata = PictureMetadata(software="Opal", digital_source_type=SOURCE_TYPE, title=TITLE)
    codes = np.full((40, 50, 3), 90, np.uint8)
    made: dict[str, tuple[OutputFormat, bytes]] = {
        output: (output, encode(codes, output, dpi=300, metadata=metadata)) for output in FORMATS
    }
    small = encode(
        *(codes, "jpeg", 70), dpi=300, chroma="4:2:0", progressive=True, effort="small", metadata=metadata
    )
    made["jpeg of a byte budget"] = ("jpeg", small)
    files: dict[tuple[str, bool], Path] = {}
    for way, (output, data) in made.items():
        for signed in (False, True):
            file = folder / f"{'signed' if signed else 'plain'} {way}.{EXTENSION[output]}"
            file.write_bytes(signer.sign(data, output, MAKING) if signed else data)
            files[way, signed] = file
    return dict(zip(files, told_by_exiftool(list(files.values())), strict=True))


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("way", WAYS)
def test_metadata_is_what_was_written(told: Told, way: str, signed: bool) -> None:
    tags = told[way, signed]
    assert tags["File:MIMEType"] == f"image/{way.split(maxsplit=1)[0]}"
    assert tags["Composite:ImageSize"] == "50x40"
    assert tags["XMP-iptcExt:DigitalSourceType"] == SOURCE_TYPE.uri
    assert tags["XMP-xmp:CreatorTool"] == "Opal"
    assert tags["XMP-photoshop:Headline"] == TITLE
    assert tags["ICC_Profile:ProfileDescription"] == "sRGB"
    assert resolution(tags) == 300
    assert not any(name.startswith(("GPS:", "MakerNotes:")) for name in tags)
    assert "ExifTool:Error" not in tags


@pytest.mark.parametrize("way", WAYS)
def test_only_a_signed_picture_has_a_manifest_and_it_tells_what_was_done(told: Told, way: str) -> None:
    assert not any(name.startswith("JUMBF:") for name in told[way, False])
    tags = told[way, True]
    assert tags["JUMBF:JUMDLabel"] == "c2pa"
    assert [each["action"] for each in tags["CBOR:Actions"]][:4] == [
        "c2pa.opened",
        "c2pa.edited",
        "c2pa.resized",
        "c2pa.placed",
    ]
    placed = tags["CBOR:Actions"][3]
    assert placed["digitalSourceType"] == tags["XMP-iptcExt:DigitalSourceType"]
    assert tags["CBOR:Description"] == f"sha256:{'a' * 64}"
    assert tags["CBOR:Claim_generator_info"]["name"] == "Opal"


def resolution(tags: dict[str, Any]) -> int:
    """In EXIF; for PNG in its own chunk, as exiftool 13.59 does not look into the EXIF of a signed PNG."""
    if "PNG-pHYs:PixelsPerUnitX" in tags:
        return round(float(tags["PNG-pHYs:PixelsPerUnitX"]) * 0.0254)
    return round(float(tags["IFD0:XResolution"]))
