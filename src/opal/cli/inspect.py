"""`opal inspect`: what finished pictures say of themselves and of their making, Opal's own or another's."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from opal.cli.file_unusable import FileUnusable
from opal.cli.main import EXIT_FAILED
from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.content_credentials.certificate import read_trusted
from opal.content_credentials.read import (
    ELSEWHERE,
    UNTRUSTED,
    ContentCredentials,
    read_content_credentials,
)
from opal.decoder.pictures import read_facts
from opal.errors import OpalError
from opal.images.facts import PictureFacts
from opal.images.limits import Limits, read_source
from opal.settings import load_settings

app = command_app()

_Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Inspected:
    """One file: what was found, or why nothing could be."""

    file: Path
    facts: PictureFacts | None = None
    credentials: ContentCredentials | None = None
    error: OpalError | None = None

    @property
    def failed(self) -> bool:
        return self.error is not None or (self.credentials is not None and self.credentials.broken)


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="Pictures of any kind that Opal reads.")],
    trust: Annotated[
        Path | None,
        typer.Option("--trust", help="PEM file of certificates whose signatures count as trusted."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show size, colour profile, dpi, source type, maker and Content Credentials (C2PA) of pictures.

    Exit code 1: a file cannot be read, or is not as it was signed.
    """
    limits = Limits.of(load_settings().photo)
    trusted = None if trust is None else read_trusted(trust)
    found = [_inspected(file, limits, trusted) for file in files]
    if as_json:
        print_json([_as_json(each) for each in found])
    else:
        _show(found)
    if any(each.failed for each in found):
        raise typer.Exit(EXIT_FAILED)


def _inspected(file: Path, limits: Limits, trusted: str | None) -> _Inspected:
    try:
        data = read_source(file, limits)
        facts = read_facts(data, limits)
    except OpalError as error:
        return _Inspected(file, error=error)
    except OSError as error:
        return _Inspected(file, error=FileUnusable(f"{error.strerror or type(error).__name__}."))
    return _Inspected(file, facts, read_content_credentials(data, facts.media_type, trusted=trusted))


def _as_json(each: _Inspected) -> dict[str, Any]:
    error = each.error
    return {
        "file": str(each.file),
        "error": None if error is None else {"code": error.code, "message": error.message},
        "picture": None if each.facts is None else asdict(each.facts),
        "content_credentials": None if each.credentials is None else asdict(each.credentials),
    }


def _show(found: list[_Inspected]) -> None:
    for number, each in enumerate(found):
        if each.error is not None:
            typer.echo(f"{each.file}: {each.error.message} [{each.error.code}]", err=True)
        elif each.facts is not None:
            if number:
                typer.echo()
            print_table((str(each.file), ""), [*_facts(each.facts), *_credentials(each.credentials)])


def _facts(facts: PictureFacts) -> Iterator[_Row]:
    picture = (
        f"{facts.format.upper()}, {facts.width} × {facts.height}, {facts.bits} bit, {facts.bytes:,} bytes"
    )
    picture += ", with alpha" if facts.has_alpha else ""
    picture += f", {facts.frames} frames" if facts.frames > 1 else ""
    yield "picture", picture
    yield "colour profile", facts.profile or "none"
    yield "resolution", "not said" if facts.dpi is None else f"{facts.dpi} dpi"
    yield "source type", facts.digital_source_type or "not said"
    yield "creator tool", facts.creator_tool or "not said"


def _credentials(credentials: ContentCredentials | None) -> Iterator[_Row]:
    if credentials is None:
        yield "C2PA", "none"
        return
    yield "C2PA", _verdict(credentials)
    if credentials.signer is not None:
        when = "without a timestamp" if credentials.signed_at is None else f"at {credentials.signed_at}"
        yield "signed by", f"{credentials.signer} ({credentials.issuer}), {credentials.algorithm}, {when}"
    if credentials.claim_generator is not None:
        yield "made by", credentials.claim_generator
    for action in credentials.actions:
        source = None if action.digital_source_type is None else f"[{action.digital_source_type}]"
        yield "action", " ".join(filter(None, (action.action, action.description, source)))
    for ingredient in credentials.ingredients:
        digest = "no hash told" if ingredient.sha256 is None else f"sha256 {ingredient.sha256}"
        yield "made from", f"{ingredient.title or 'untitled'} ({ingredient.relationship}), {digest}"


def _verdict(credentials: ContentCredentials) -> str:
    """The validation's state in words; being on no list of trusted signers is no fault of the picture."""
    others = [problem for problem in credentials.problems if problem != UNTRUSTED]
    if credentials.state == ELSEWHERE:
        return f"not in the file, and not fetched: {', '.join(others)}"
    if others:
        return f"{credentials.state}: {', '.join(others)}"
    if UNTRUSTED in credentials.problems:
        return f"{credentials.state}; the signer is not on a list of trusted ones (see --trust)"
    return credentials.state
