"""`opal inspect` and the certificate in `opal doctor` and `opal process`, as a user runs them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from tests.journeys.opal_process import opal
from tests.unit.drawn_products import mug
from tests.unit.signing_chain import Authority, key_pem, new_authority, new_key, signing_files

from opal.content_credentials.sign import PictureSigner
from opal.export_worker.create_variants import create_variants
from opal.images.decode import decode_photo
from opal.marketplaces.presets import load_presets
from opal.placement.placement import Placement
from opal.placement.scene import StudioScene

pytestmark = pytest.mark.xdist_group("content-credentials")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Path:
    """A folder with pictures of every sort, and the original that the signed one was made from."""
    folder = tmp_path_factory.mktemp("shop")
    drawn = mug(400, 350)
    original = drawn.photo.pixels.jpegsave_buffer(Q=95)
    (folder / "original.jpg").write_bytes(original)
    (folder / "root.pem").write_bytes(authority.pem)
    preset = load_presets()["square-1x1"].model_copy(update={"width": 400, "height": 400, "rules": ()})
    signer = PictureSigner.of(signing_files(folder, authority))
    for name, by in (("signed", signer), ("unsigned", None)):
        [variant] = create_variants(
            *(decode_photo(original), drawn.matte, StudioScene(look="warm"), Placement(), [preset]),
            seed=1,
            signer=by,
        )
        (folder / f"{name}.jpg").write_bytes(variant.data)
    signed = (folder / "signed.jpg").read_bytes()
    altered = bytearray(signed)
    altered[-500] ^= 1
    (folder / "altered.jpg").write_bytes(altered)
    (folder / "cut.jpg").write_bytes(signed[: len(signed) * 2 // 3])
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.jpg").touch()
    plain = pyvips.Image.new_from_array(np.zeros((9, 7, 3), np.uint8)).copy(interpretation="srgb")
    (folder / "plain.png").write_bytes(plain.pngsave_buffer(keep="none"))
    return folder


def inspected(shop: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = opal("inspect", *arguments, "--json", cwd=shop)
    assert (done.returncode, done.stderr) == (code, "")
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def test_all_of_a_signed_picture_is_shown(shop: Path) -> None:
    [told] = inspected(shop, "signed.jpg")
    assert told["error"] is None
    picture, credentials = told["picture"], told["content_credentials"]
    assert (picture["format"], picture["width"], picture["height"]) == ("jpeg", 400, 400)
    assert (picture["profile"], picture["dpi"], picture["creator_tool"]) == ("sRGB", 72, "Opal")
    assert picture["digital_source_type"] == "composite"
    assert (credentials["state"], credentials["signer"]) == ("Valid", "Acme Pictures")
    assert credentials["problems"] == ["signingCredential.untrusted"]
    assert [each["action"] for each in credentials["actions"]][:2] == ["c2pa.opened", "c2pa.edited"]
    [placed] = [each for each in credentials["actions"] if each["action"] == "c2pa.placed"]
    assert placed["digital_source_type"] == "composite"
    digest = hashlib.sha256((shop / "original.jpg").read_bytes()).hexdigest()
    assert credentials["ingredients"][0]["sha256"] == digest


def test_a_person_reads_the_same_in_words(shop: Path) -> None:
    done = opal("inspect", "signed.jpg", "plain.png", cwd=shop)
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for words in (
        "JPEG, 400 × 400, 8 bit,",
        "colour profile sRGB",
        "resolution 72 dpi",
        "source type composite",
        "creator tool Opal",
        "C2PA Valid; the signer is not on a list of trusted ones (see --trust)",
        "signed by Acme Pictures (Acme Ltd), Es256, without a timestamp",
        "action c2pa.edited Background removed",
        "made from Original photo (parentOf), sha256 ",
        "PNG, 7 × 9, 8 bit,",
        "colour profile none resolution not said source type not said creator tool not said C2PA none",
    ):
        assert words in text


def test_trust_is_what_the_reader_is_told_to_trust(shop: Path) -> None:
    [told] = inspected(shop, "signed.jpg", "--trust", "root.pem")
    assert (told["content_credentials"]["state"], told["content_credentials"]["problems"]) == ("Trusted", [])
    done = opal("inspect", "signed.jpg", "--trust", "text.jpg", cwd=shop)
    assert done.returncode == 2
    assert done.stderr == "opal: text.jpg is no PEM file of certificates. [invalid_request]\n"


def test_pictures_without_any_of_it_are_no_failure(shop: Path) -> None:
    unsigned, plain = inspected(shop, "unsigned.jpg", "plain.png")
    assert unsigned["picture"]["digital_source_type"] == "composite"
    assert unsigned["content_credentials"] is plain["content_credentials"] is None
    said = ("profile", "dpi", "digital_source_type", "creator_tool")
    assert [plain["picture"][name] for name in said] == [None] * 4


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("cut.jpg", "image_truncated"),
        ("text.jpg", "unsupported_format"),
        ("empty.jpg", "image_empty"),
        ("lost.jpg", "file_unusable"),
        (".", "file_unusable"),
    ],
)
def test_a_damaged_file_is_one_line_and_the_others_are_shown(shop: Path, name: str, code: str) -> None:
    done = opal("inspect", name, "plain.png", cwd=shop)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{name}: ")
    assert line.endswith(f"[{code}]")
    assert "PNG, 7 × 9" in done.stdout
    broken, plain = inspected(shop, name, "plain.png", code=1)
    assert (broken["error"]["code"], broken["picture"], plain["error"]) == (code, None, None)


def test_a_picture_changed_after_signing_fails(shop: Path) -> None:
    [told] = inspected(shop, "altered.jpg", code=1)
    assert told["content_credentials"]["state"] == "Invalid"
    done = opal("inspect", "altered.jpg", cwd=shop)
    assert done.returncode == 1
    assert "Invalid: assertion.dataHash.mismatch" in done.stdout


def test_doctor_tries_the_certificate(tmp_path: Path) -> None:
    signing_files(tmp_path)
    changes = {"OPAL_SIGNING_CERTIFICATE": "chain.pem", "OPAL_SIGNING_KEY": "key.pem"}

    def finding(**more: str) -> dict[str, Any]:
        done = opal("doctor", "--json", cwd=tmp_path, changes={**changes, **more})
        told: dict[str, Any] = next(each for each in json.loads(done.stdout) if each["check"] == "signing")
        return told

    good = finding()
    assert good["ok"]
    assert good["found"].startswith("Acme Pictures, issued by Acme Root, until ")
    away = finding(OPAL_SIGNING_TIMESTAMP_URL="http://127.0.0.1:9/")
    assert not away["ok"]
    assert away["found"].endswith("[signing_failed]")
    (tmp_path / "key.pem").write_bytes(key_pem(new_key()))
    wrong = finding()
    assert not wrong["ok"]
    assert "is not the key of the first certificate in chain.pem" in wrong["found"]
    # The same before any work, in one line.
    (tmp_path / "photo.jpg").write_bytes(b"not looked at")
    for command in (("process", "photo.jpg", "--out", "out"), ("up", "--port", "0"), ("export-worker",)):
        done = opal(*command, cwd=tmp_path, changes=changes)
        assert done.returncode == 2
        [line] = [line for line in done.stderr.splitlines() if "SIGNING" in line]
        assert line.startswith("opal: OPAL_SIGNING_KEY: key.pem is not the key")
        assert "Traceback" not in done.stderr
    unset = opal("doctor", cwd=tmp_path)
    assert "no certificate set; pictures are not signed" in unset.stdout
