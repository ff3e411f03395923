"""Hostile files through the decoder: each is decoded or refused with a code, within its bounds.

`OPAL_TEST_MUTANTS=10000` tries as many (`-rP` shows how they ended); the default is a share
that takes seconds.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.unit.bombs import bombs, many_scans
from tests.unit.mutants import mutant, originals

from opal.decoder import pictures
from opal.decoder.client import Decoder
from opal.errors import InvalidPhoto, PhotoRefused, PhotoUndecodable, walk
from opal.images.limits import Limits

MUTANTS = int(os.environ.get("OPAL_TEST_MUTANTS", "204"))
LIMITS = Limits()
CODES = {kind.code for kind in walk(InvalidPhoto) if kind is not PhotoRefused}
# For a look at the header. Time is the processor's, which other work on the machine does not lengthen.
MOST_MEMORY = 64_000_000
MOST_CPU_S = 0.1


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(wall_s=120) as decoder:
        # The first one waits for the zygote.
        decoder.run("header", originals()[0], LIMITS)
        yield decoder


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_is_refused_by_its_header_at_once_and_with_its_code(decoder: Decoder, name: str) -> None:
    make, code = bombs()[name]
    bomb = make()
    assert len(bomb) <= LIMITS.max_bytes
    for job, options in (("header", {}), ("photo", {"unblemished": False})):
        outcome = decoder.run(job, bomb, LIMITS, options)
        assert outcome.told.get("error") == code, outcome
        assert outcome.verdict.memory < MOST_MEMORY
        assert outcome.verdict.cpu_s < MOST_CPU_S


@pytest.mark.parametrize(
    ("name", "job", "lifted"),
    [
        ("interlaced PNG 6,000 x 6,000", "photo", Limits(max_interlaced_pixels=2**40)),
        ("JPEG with XMP of 60 MB", "header", Limits(max_ballast=2**40)),
    ],
)
def test_without_its_limit_the_same_bomb_costs_what_it_was_made_for(
    decoder: Decoder, name: str, job: str, lifted: Limits
) -> None:
    # The control: what the test above measures is there to be measured.
    with pictures.outputs() as files:
        outcome = decoder.run(job, bombs()[name][0](), lifted, {"unblemished": False}, files)
    assert outcome.verdict.memory > MOST_MEMORY
    assert outcome.told.get("error") != bombs()[name][1]


def test_a_bomb_within_every_limit_ends_at_the_decoders_own(decoder: Decoder) -> None:
    with pytest.raises(InvalidPhoto):
        pictures.decode_photo(many_scans(5_000), LIMITS, decoder=decoder)


def test_every_damaged_file_is_decoded_or_refused_with_a_code(decoder: Decoder) -> None:
    ends: Counter[str] = Counter()
    for number in range(MUTANTS):
        try:
            pictures.decode_photo(mutant(number), LIMITS, decoder=decoder)
        except InvalidPhoto as error:
            ends[error.code] += 1
        else:
            ends["decoded"] += 1
    sys.stdout.write(f"{MUTANTS} files: {dict(ends)}\n")
    assert set(ends) <= CODES | {"decoded"}
    # Some of each, or the damage is not what it is meant to be.
    assert MUTANTS * 0.1 < ends["decoded"] < MUTANTS * 0.9
    assert ends[PhotoUndecodable.code] < MUTANTS * 0.02
