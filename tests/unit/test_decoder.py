"""The bounded process in which strangers' pictures are read: the same pixels, and no way out of it."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pyvips
from tests.unit.photo_files import codes, file_of, image

from opal.decoder import anonymous_file, pictures
from opal.decoder.client import Decoder
from opal.decoder.confine import landlock_version
from opal.decoder.system_calls import can_filter
from opal.errors import (
    DecoderInterrupted,
    DecoderUnavailable,
    PhotoAnimated,
    PhotoTruncated,
    PhotoUndecodable,
)
from opal.images.decode import decode_photo
from opal.images.facts import read_facts
from opal.images.limits import Limits, probe

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "samples" / "photos").glob("*.jpg"))
MISBEHAVING = str(Path(__file__).with_name("misbehaving_decoder.py"))
LIMITS = Limits(min_side=1)
SECRET = "OPAL_SCORING_KEY"


@pytest.fixture(scope="module")
def misdeeds() -> Iterator[Decoder]:
    os.environ[SECRET] = "a canary"
    with Decoder(program=(MISBEHAVING, "bounded")) as decoder:
        decoder.start()
        yield decoder
    del os.environ[SECRET]


@pytest.fixture(scope="module")
def unbounded() -> Iterator[Decoder]:
    """The control: the same children, from whom nothing is taken."""
    with Decoder(program=(MISBEHAVING, "unbounded")) as decoder:
        yield decoder


@pytest.fixture(scope="module")
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def open_output() -> Iterator[int]:
    """A file for pixels, as long as it is needed."""
    descriptor = anonymous_file.create()
    yield descriptor
    os.close(descriptor)


def with_alpha() -> bytes:
    alpha = np.zeros((120, 160), np.uint8)
    alpha[30:90, 40:120] = 255
    deep = np.dstack([codes(), alpha]).astype(np.uint16) * 257
    turned = image(deep, "rgb16")
    turned.set_type(pyvips.GValue.gint_type, "orientation", 6)
    data: bytes = turned.pngsave_buffer()
    return data


FILES: dict[str, Callable[[], bytes]] = {
    **{path.stem: path.read_bytes for path in SAMPLES},
    **{kind: partial(file_of, kind) for kind in ("png", "webp", "gif", "tiff", "avif")},
    "16 bits, turned, with alpha": with_alpha,
    "cmyk": lambda: image(codes()).icc_transform("cmyk", input_profile="srgb").jpegsave_buffer(),
    "grey": lambda: image(codes()[..., 0], "b-w").pngsave_buffer(),
    "damaged": lambda: damaged(SAMPLES[0].read_bytes()),
}


def damaged(data: bytes) -> bytes:
    """With pixels that its decoder invents, and a first try that is given up."""
    middle = len(data) // 2
    return data[:middle] + bytes(200) + data[middle + 200 :]


@pytest.mark.parametrize("name", FILES)
def test_the_pixels_are_those_of_this_process_to_the_bit(name: str) -> None:
    data = FILES[name]()
    here, there = decode_photo(data, LIMITS), pictures.decode_photo(data, LIMITS)
    assert there.source == here.source
    for mine, theirs in ((here.pixels, there.pixels), (here.alpha, there.alpha)):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None:
            assert (theirs.format, theirs.interpretation) == (mine.format, mine.interpretation)
            assert (theirs.xres, theirs.yres) == (mine.xres, mine.yres)
            np.testing.assert_array_equal(theirs.numpy(), mine.numpy())
    assert pictures.probe(data, LIMITS) == probe(data, LIMITS)
    assert pictures.read_facts(data, LIMITS) == read_facts(data, LIMITS)


def test_a_refusal_is_the_same_error_with_the_same_words() -> None:
    data = file_of("png")[:-300]
    with pytest.raises(PhotoTruncated) as here:
        decode_photo(data, LIMITS)
    with pytest.raises(PhotoTruncated) as there:
        pictures.decode_photo(data, LIMITS)
    assert there.value.message == here.value.message


def test_pixels_outlive_what_brought_them() -> None:
    photo = pictures.decode_photo(file_of("png"), LIMITS)
    part = photo.pixels.crop(10, 20, 30, 40)
    del photo
    assert part.numpy().shape == (40, 30, 3)


UNDOING: list[tuple[str, dict[str, int], str]] = [
    ("allocate", {"bytes": 2**34}, "memory"),
    ("allocate_in_c", {"bytes": 2**34}, "crashed"),
    ("compute", {}, "processor time"),
    ("write", {}, "wrote"),
    ("abort", {}, "crashed"),
    ("read_null", {}, "crashed"),
]


@pytest.mark.parametrize(("job", "options", "reason"), UNDOING)
def test_a_picture_that_undoes_its_decoder_is_refused(
    misdeeds: Decoder, job: str, options: dict[str, int], reason: str
) -> None:
    with open_output() as output, pytest.raises(PhotoUndecodable, match=reason):
        misdeeds.ask(job, b"x", LIMITS, options, [output])
    # The next one is unharmed.
    assert misdeeds.ask("header", file_of("png"), LIMITS)["width"] == 160


@pytest.mark.parametrize(
    ("job", "options"), [("allocate", {"bytes": 2**28}), ("allocate_in_c", {"bytes": 2**34}), ("write", {})]
)
def test_without_bounds_the_same_goes_through(unbounded: Decoder, job: str, options: dict[str, int]) -> None:
    with open_output() as output:
        unbounded.ask(job, b"x", LIMITS, options, [output])


def test_of_the_machine_nothing_can_be_reached(misdeeds: Decoder, unbounded: Decoder, listener: int) -> None:
    assert misdeeds.ask("tell", b"x", LIMITS)["environment"].count(SECRET) == 0
    free = unbounded.ask("reach_out", b"x", LIMITS, {"port": listener})["found"]
    assert {"/etc/passwd", "network", "signals", "processes", "datagrams"} <= set(free)
    found = misdeeds.ask("reach_out", b"x", LIMITS, {"port": listener})["found"]
    if can_filter():
        assert found == []
    elif landlock_version() >= 6:
        assert found == ["processes", "datagrams"]
    else:
        assert found == [each for each in free if each != "core dumps"]


def test_a_child_holds_its_own_picture_and_nothing_else(misdeeds: Decoder) -> None:
    # Another picture is under way, whose files and whose end are no business of this one.
    with ThreadPoolExecutor() as threads, open_output() as output:
        other = threads.submit(misdeeds.run, "nap", b"x", LIMITS, {"seconds": 3}, [output])
        kinds = misdeeds.ask("list_descriptors", b"x", LIMITS)["kinds"]
        assert not other.done()
    assert sorted(kinds) == sorted([stat.S_IFSOCK, stat.S_IFREG])


@pytest.mark.parametrize("verdict", [{"signal": 0, "late": False, "cpu_s": 0, "memory": 0}, {"foo": 1}, None])
def test_what_a_child_says_of_its_end_is_not_asked(misdeeds: Decoder, verdict: object) -> None:
    with pytest.raises(PhotoUndecodable, match="crashed"):
        misdeeds.ask("forge", b"x", LIMITS, {"verdict": verdict})


def test_whoever_a_child_leaves_behind_is_ended_with_it_and_not_waited_for(unbounded: Decoder) -> None:
    # Of those from whom nothing is taken: else it could not have started anybody.
    begun = time.monotonic()
    hidden = Path("/proc") / str(unbounded.ask("go_into_hiding", b"x", LIMITS)["pid"])
    while hidden.exists():
        assert time.monotonic() < begun + 60
        time.sleep(0.01)


def test_whoever_a_child_has_in_hiding_ends_with_the_decoder() -> None:
    with (
        ThreadPoolExecutor() as threads,
        Decoder(program=(MISBEHAVING, "unbounded")) as decoder,
        open_output() as output,
    ):
        waiting = threads.submit(decoder.run, "hide_and_wait", b"x", LIMITS, None, [output])
        give_up_at = time.monotonic() + 60
        while not (pid := os.pread(output, 20, 0)):
            assert time.monotonic() < give_up_at
            time.sleep(0.01)
        decoder.close()
        assert not (Path("/proc") / pid.decode()).exists()
        # Its picture was given to another decoder.
        assert waiting.result().told == {"done": {}}


def test_a_child_that_waits_is_ended_and_the_picture_is_not_blamed() -> None:
    with (
        Decoder(program=(MISBEHAVING, "bounded"), wall_s=0.5) as decoder,
        pytest.raises(DecoderInterrupted),
    ):
        decoder.ask("sleep", b"x", LIMITS)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_child_that_a_signal_of_its_own_ends_has_crashed(unbounded: Decoder, number: int) -> None:
    with pytest.raises(PhotoUndecodable, match="crashed"):
        unbounded.ask("end_by", b"x", LIMITS, {"signal": number})


def test_a_child_that_somebody_kills_is_tried_again_later(unbounded: Decoder) -> None:
    with pytest.raises(DecoderInterrupted):
        unbounded.ask("end_by", b"x", LIMITS, {"signal": signal.SIGKILL})


def test_a_child_cannot_make_itself_look_killed_by_somebody(misdeeds: Decoder) -> None:
    with pytest.raises(RuntimeError, match="not implemented"):
        misdeeds.ask("end_by", b"x", LIMITS, {"signal": signal.SIGKILL})


@pytest.mark.parametrize("claim", [b"claim_more", b"claim_nonsense", b"flood"])
def test_what_a_child_claims_is_not_believed(misdeeds: Decoder, claim: bytes) -> None:
    with pytest.raises((PhotoUndecodable, DecoderInterrupted)):
        pictures.decode_photo(claim, LIMITS, decoder=misdeeds)


def test_whoever_a_child_leaves_behind_cannot_change_the_picture(unbounded: Decoder) -> None:
    photo = pictures.decode_photo(b"leave_somebody", LIMITS, decoder=unbounded)
    time.sleep(1.5)
    assert photo.pixels.numpy().sum() == 0


def test_errors_and_bugs_come_across_as_what_they_are(misdeeds: Decoder) -> None:
    with pytest.raises(PhotoAnimated, match="as a picture may be"):
        misdeeds.ask("refuse", b"x", LIMITS)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: a bug"):
        misdeeds.ask("err", b"x", LIMITS)


def test_a_zygote_that_is_gone_is_started_again() -> None:
    with Decoder() as decoder:
        assert decoder.ask("header", file_of("png"), LIMITS)["width"] == 160
        assert decoder.pid is not None
        os.kill(decoder.pid, signal.SIGKILL)
        assert decoder.ask("header", file_of("png"), LIMITS)["width"] == 160
    with Decoder(program=("-c", "raise SystemExit(3)")) as lost, pytest.raises(DecoderUnavailable):
        lost.ask("header", file_of("png"), LIMITS)


def test_the_zygote_runs_no_thread_and_ends_with_its_service() -> None:
    decoder = Decoder()
    decoder.ask("header", file_of("png"), LIMITS)
    zygote = decoder.pid
    assert len(list(Path(f"/proc/{zygote}/task").iterdir())) == 1
    decoder.close()
    assert not Path(f"/proc/{zygote}").exists()


def test_the_zygote_ends_with_a_service_that_was_killed() -> None:
    program = (
        "import time; from opal.decoder.client import Decoder; "
        "d = Decoder(); d.start(); print(d.pid, flush=True); time.sleep(600)"
    )
    service = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    with service:
        assert service.stdout is not None
        zygote = Path("/proc") / service.stdout.readline().decode().strip()
        assert zygote.exists()
        service.kill()
    give_up_at = time.monotonic() + 60
    # Where nobody collects orphans its entry stays, without a process.
    while zygote.exists() and "State:\tZ" not in (zygote / "status").read_text("ascii"):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
