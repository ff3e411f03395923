"""`opal process` with a certificate: signed pictures, made again when the certificate changes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from tests.journeys.opal_process import opal
from tests.unit.signing_chain import new_authority, signing_files
from tests.unit.tiny_onnx import mean_network

PRESETS = ("instagram-square", "thumbnail-webp")
QUICK = {"OPAL_SCORING_ENGINE": "tiny.onnx"}
"""An engine that is loaded at once; the photo brings its own cut-out."""


def draw_tin(path: Path) -> bytes:
    """A red tin on nothing; its file's bytes."""
    codes = np.zeros((400, 400, 4), np.uint8)
    codes[80:340, 120:280] = (190, 30, 40, 255)
    pyvips.Image.new_from_array(codes).copy(interpretation="srgb").pngsave(str(path))
    return path.read_bytes()


def processed(folder: Path, changes: dict[str, str] | None = None) -> dict[str, bytes]:
    """The pictures in the folder after one run, by name."""
    options = [word for preset in PRESETS for word in ("--preset", preset)]
    settings = {**QUICK, **(changes or {})}
    done = opal("process", "tin.png", "--out", "out", *options, cwd=folder, changes=settings)
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
    photo = draw_tin(tmp_path / "tin.png")
    (tmp_path / "tiny.onnx").write_bytes(mean_network(64))
    (tmp_path / "tiny.toml").write_text("side = 64\n")
    authority = new_authority()
    (tmp_path / "root.pem").write_bytes(authority.pem)
    signing_files(tmp_path, authority)
    signing = {"OPAL_SIGNING_CERTIFICATE": "chain.pem", "OPAL_SIGNING_KEY": "key.pem"}

    unsigned = processed(tmp_path)
    assert credentials(tmp_path) == [None, None]
    signed = processed(tmp_path, signing)
    assert all(signed[name] != unsigned[name] for name in unsigned)
    digest = hashlib.sha256(photo).hexdigest()
    for told in credentials(tmp_path):
        assert told["state"] == "Trusted"
        assert told["ingredients"][0]["sha256"] == digest
    # Nothing is new: the files stay as they are, although signing them again would change them.
    assert processed(tmp_path, signing) == signed
    # Without the certificate they are the unsigned ones again, to the byte.
    assert processed(tmp_path) == unsigned
