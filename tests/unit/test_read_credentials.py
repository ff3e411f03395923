"""Reading other programs' manifests, and files that are nobody's: always an answer, never an exception."""

import io
from contextlib import suppress
from typing import Any

import c2pa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.signing_chain import signing_files

from opal.content_credentials.certificate import Credential, read_credential
from opal.content_credentials.read import Ingredient, read_content_credentials
from opal.errors import InvalidPhoto
from opal.images.encode import MEDIA_TYPE, OutputFormat, encode
from opal.images.facts import read_facts
from opal.images.limits import Limits

pytestmark = pytest.mark.xdist_group("content-credentials")

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
FORMATS: tuple[OutputFormat, ...] = ("jpeg", "png", "webp", "avif", "tiff")


@pytest.fixture(scope="module")
def credential(tmp_path_factory: pytest.TempPathFactory) -> Credential:
    found = read_credential(signing_files(tmp_path_factory.mktemp("signer")))
    assert found is not None
    return found


def picture(output: OutputFormat = "jpeg") -> bytes:
    return encode(np.full((24, 32, 3), 90, np.uint8), output)


def signed(
    credential: Credential,
    manifest: dict[str, Any],
    output: OutputFormat = "jpeg",
    elsewhere: str | None = None,
) -> bytes:
    """As another program would sign it."""
    info = c2pa.C2paSignerInfo(credential.algorithm, credential.chain, credential.key, None)
    written = io.BytesIO()
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder(manifest, context=c2pa.Context()) as builder:
        if elsewhere is not None:
            builder.set_no_embed()
            builder.set_remote_url(elsewhere)
        builder.sign(signer, MEDIA_TYPE[output], io.BytesIO(picture(output)), written)
    return written.getvalue()


def created(**more: Any) -> dict[str, Any]:
    """What a generator of pictures says of its work."""
    action = {"action": "c2pa.created", "digitalSourceType": SOURCE, **more}
    return {
        "claim_generator_info": [{"name": "Another program"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }


def test_a_generated_picture_says_so(credential: Credential) -> None:
    read = read_content_credentials(signed(credential, created()), "image/jpeg")
    assert read is not None
    assert (read.state, read.claim_generator, read.ingredients) == ("Valid", "Another program", ())
    [action] = read.actions
    assert (action.action, action.digital_source_type) == ("c2pa.created", "trainedAlgorithmicMedia")


def test_an_ingredient_without_a_hash_has_none(credential: Credential) -> None:
    manifest = {
        **created(),
        "ingredients": [
            {"title": "sha256: see below", "relationship": "componentOf", "description": "sha256:12"}
        ],
    }
    read = read_content_credentials(signed(credential, manifest), "image/jpeg")
    assert read is not None
    [ingredient] = read.ingredients
    assert isinstance(ingredient, Ingredient)
    assert (ingredient.title, ingredient.sha256) == ("sha256: see below", None)


def test_a_strangers_words_cannot_write_on_the_terminal(credential: Credential) -> None:
    hostile = "\x1b[2J\r\nred\x07" + "x" * 5_000
    manifest = {**created(description=hostile), "title": hostile}
    read = read_content_credentials(signed(credential, manifest), "image/jpeg")
    assert read is not None
    for told in (read.title, read.actions[0].description):
        assert told is not None
        assert told.isprintable()
        assert len(told) <= 300


def test_a_manifest_on_the_web_is_named_and_not_fetched(credential: Credential) -> None:
    data = signed(credential, created(), elsewhere="http://127.0.0.1:9/picture.c2pa")
    read = read_content_credentials(data, "image/jpeg")
    assert read is not None
    assert (read.state, read.broken) == ("Elsewhere", False)
    assert "http://127.0.0.1:9/picture.c2pa" in read.problems[0]


@pytest.fixture(scope="module")
def samples(credential: Credential) -> dict[OutputFormat, bytes]:
    return {output: signed(credential, created(), output) for output in FORMATS}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_of_any_kind_gets_an_answer(samples: dict[OutputFormat, bytes], data: st.DataObject) -> None:
    output = data.draw(st.sampled_from(FORMATS))
    whole = samples[output]
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start, min(len(whole), start + 80)))
    damaged = whole[:start] + data.draw(st.binary(max_size=40)) + whole[end:]
    read_content_credentials(damaged, MEDIA_TYPE[output])
    # Facts or an error of ours; anything else fails the test.
    with suppress(InvalidPhoto):
        read_facts(damaged, Limits())
