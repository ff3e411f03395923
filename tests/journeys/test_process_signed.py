"""`opal process` with a certificate: signed pictures, made again when the certificate changes."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.opal_process import opal
from tests.unit.signing_chain import new_authority, signing_files

pytestmark = pytest.mark.xdist_group("network")

PHOTO = sorted((Path(__file__).parents[2] / "samples" / "photos").glob("*.jpg"))[0]
PRESETS = ("square-1x1", "thumbnail-webp")


def processed(folder: Path, changes: dict[str, str] | None = None) -> dict[str, bytes]:
    """The pictures in the folder after one run, by name."""
    options = [word for preset in PRESETS for word in ("--preset", preset)]
    done = opal("process", "tin.jpg", "--out", "out", *options, cwd=folder, changes=changes)
    assert done.returncode == 0, done.stderr
    assert "PRIVATE" not in done.stdout + done.stderr
    made = sorted((folder / "out" / "tin").glob("*"))
    return {path.name: path.read_bytes() for path in made if path.name != "matte.png"}


def credentials(folder: Path) -> list[dict[str, Any]]:
    files = [str(path.relative_to(folder)) for path in sorted((folder / "out" / "tin").glob("*.[jw]*"))]
    done = opal("inspect", *files, "--trust", "root.pem", "--json", cwd=folder)
    assert done.returncode == 0, done.stdout
    return [each["content_credentials"] for each in json.loads(done.stdout)]


def test_a_new_certificate_makes_the_pictures_again_and_the_same_one_does_not(tmp_path: Path) -> None:
    shutil.copy(PHOTO, tmp_path / "tin.jpg")
    authority = new_authority()
    (tmp_path / "root.pem").write_bytes(authority.pem)
    signing_files(tmp_path, authority)
    signing = {"OPAL_SIGNING_CERTIFICATE": "chain.pem", "OPAL_SIGNING_KEY": "key.pem"}

    unsigned = processed(tmp_path)
    assert credentials(tmp_path) == [None, None]
    signed = processed(tmp_path, signing)
    assert all(signed[name] != unsigned[name] for name in unsigned)
    digest = hashlib.sha256(PHOTO.read_bytes()).hexdigest()
    for told in credentials(tmp_path):
        assert told["state"] == "Trusted"
        assert told["ingredients"][0]["sha256"] == digest
    # Nothing is new: the files stay as they are, although signing them again would change them.
    assert processed(tmp_path, signing) == signed
    # Without the certificate they are the unsigned ones again, to the byte.
    assert processed(tmp_path) == unsigned
