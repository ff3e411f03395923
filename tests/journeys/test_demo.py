"""`opal demo` on two photos: exit code, files, report in its documented shape, contact sheet."""

import json
from pathlib import Path

import pytest
import pyvips
from tests.journeys.opal_process import opal

pytestmark = pytest.mark.xdist_group("services")


def test_two_photos_become_a_report_and_a_contact_sheet(tmp_path: Path) -> None:
    done = opal("demo", "--limit", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "opal-demo"
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert set(report) == {"opal", "seconds", "items"}
    assert len(report["items"]) == 2
    for item in report["items"]:
        assert set(item) == {
            "source", "status", "seconds", "error", "halved", "matte", "scene", "confidence",
            "confidence_reasons", "review", "fidelity", "variants",
        }  # fmt: skip
        assert (item["status"], item["error"]) == ("exported", None)
        assert (out / item["matte"]).exists()
        assert (out / item["scene"]).exists()
        assert len(item["variants"]) == 5
        for variant in item["variants"]:
            assert set(variant) == {
                "preset", "path", "width", "height", "bytes", "format", "compliance", "fidelity", "placed",
                "backdrop_enlargement",
            }  # fmt: skip
            assert variant["fidelity"]["share_within_de1"] >= item["fidelity"]["share_within_de1"]
            picture = pyvips.Image.new_from_file(str(out / variant["path"]))
            assert (picture.width, picture.height) == (variant["width"], variant["height"])
    sheet = pyvips.Image.new_from_file(str(out / "contact-sheet.png"))
    assert sheet.width > 2000
    assert sheet.height > 1000
