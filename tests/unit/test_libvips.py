"""What of libvips is told to Python: warnings, and no notes."""

import logging

import numpy as np
import pytest
import pyvips
from tests.unit.photo_files import file_of

import opal.images


def test_an_operation_makes_no_notes(caplog: pytest.LogCaptureFixture) -> None:
    assert opal.images
    caplog.set_level(logging.DEBUG, "pyvips")
    pyvips.Image.new_from_array(np.ones((8, 8), np.float32)).gaussblur(2.0).numpy()
    assert not [record for record in caplog.records if "VIPS" in record.getMessage()]


def test_a_warning_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert opal.images
    whole = file_of("jpeg")
    pyvips.Image.new_from_buffer(whole[: len(whole) * 3 // 4], "", fail_on="none").avg()
    assert [record for record in caplog.records if record.levelno == logging.WARNING]
