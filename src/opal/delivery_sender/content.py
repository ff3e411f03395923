"""What is delivered: the picture as it is stored, or the report on it as JSON. Called by ``sender.py``."""

import json
from collections.abc import AsyncIterator

from opal import __version__
from opal.blobs.interface import Blobs
from opal.database.picture_deliveries import DuePicture
from opal.destinations.interface import Content, content_of

_CONTAINER = "exports"


def picture_content(blobs: Blobs, due: DuePicture) -> Content:
    """The picture, read piece by piece when it is sent, held against the hash that it was recorded with."""
    picture = due.picture

    def pieces() -> AsyncIterator[bytes]:
        return blobs.stream(_CONTAINER, picture.path)

    return Content(picture.bytes, picture.sha256, picture.content_type, pieces)


def report_content(due: DuePicture) -> Content:
    """The report: what was measured, rule by rule (docs/delivery.md).

    The same bytes at every try of one version, whatever the database does to the order of keys.
    """
    picture = due.picture
    report = {
        "opal": __version__,
        "job_id": due.job_id,
        "item_id": due.item_id,
        "source": due.filename,
        "sku": due.sku,
        "preset": picture.preset,
        "file": due.path.rpartition("/")[2].removesuffix(".json") + "." + picture.path.rpartition(".")[2],
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "bytes": picture.bytes,
        "sha256": picture.sha256,
        "passed": all(rule["passed"] for rule in picture.compliance if rule.get("level") != "advised"),
        "compliance": picture.compliance,
        "fidelity": picture.fidelity,
        "placed": picture.placed,
    }
    text = json.dumps(report, ensure_ascii=False, indent=2, sort_keys=True)
    return content_of(text.encode(), "application/json")
