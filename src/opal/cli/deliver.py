"""`opal deliver`: a tenant's delivery targets over the API, and finished jobs delivered to them."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from opal.cli.api_client import address
from opal.cli.api_session import with_api
from opal.cli.deliver_job import Progress, deliver
from opal.cli.json_option import parse_json_object
from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.errors import InvalidDeliveryTarget
from opal.images.encode import OutputFormat

app = command_app(no_args_is_help=True, help="Make and test delivery targets, and deliver finished jobs.")
targets = command_app(no_args_is_help=True, help="Where finished pictures go.")
app.add_typer(targets, name="targets")

TargetArgument = Annotated[str, typer.Argument(help="The id shown by `opal deliver targets list`.")]


@targets.command("list")
def list_targets(as_json: JsonOption = False) -> None:
    """List the tenant's delivery targets and how they are getting on."""
    found = with_api(lambda api: api.get(address("delivery-targets"))).objects("targets")
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "name", "kind", "state", "failures#", "template", "takes", "reason"),
        [
            (
                each["id"],
                each["name"],
                each["destination"]["kind"],
                *(each[name] for name in ("state", "failures", "template")),
                ", ".join((*each["presets"], *each["formats"])) or "all",
                each["disabled_reason"],
            )
            for each in found
        ],
    )


@targets.command()
def create(
    destination: Annotated[
        Path,
        typer.Argument(
            help="JSON of the place with its secrets, as the API takes it (docs/delivery.md); -: from stdin.",
            allow_dash=True,
        ),
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="For people.")] = "",
    template: Annotated[str | None, typer.Option("--template", help="Each picture's path there.")] = None,
    preset: Annotated[
        list[str] | None, typer.Option("--preset", help="Only its pictures go there; repeatable.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        list[str] | None,
        typer.Option(
            "--format", help=f"Only such pictures: {', '.join(get_args(OutputFormat))}; repeatable."
        ),
    ] = None,
    no_reports: Annotated[bool, typer.Option("--no-reports", help="Pictures without their reports.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a target. Its secrets come from a file or a pipe, so that no history or process list has them."""
    body = {
        "name": name,
        "destination": _read(destination),
        "presets": preset or [],
        "formats": format or [],
        "reports": not no_reports,
    } | ({} if template is None else {"template": template})
    made = with_api(lambda api: api.post(address("delivery-targets"), body))
    if as_json:
        print_json(made)
    else:
        typer.echo(made["id"])


def _read(destination: Path) -> dict[str, Any]:
    """The object in the file, or in stdin. Raises ``InvalidDeliveryTarget``."""
    where = "stdin" if str(destination) == "-" else str(destination)
    try:
        text = sys.stdin.read() if where == "stdin" else destination.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDeliveryTarget(f"{where} is not text in UTF-8.") from error
    return parse_json_object(text, where, InvalidDeliveryTarget)


@targets.command("test")
def try_out(target: TargetArgument, as_json: JsonOption = False) -> None:
    """Put a small file there now. Exit code 1: it did not work."""
    tested = with_api(lambda api: api.post(address("delivery-targets", target, "test")))
    if as_json:
        print_json(tested)
    else:
        typer.echo(f"It took {tested['path']}." if tested["ok"] else tested["reason"])
    if not tested["ok"]:
        raise typer.Exit(1)


@app.command()
def job(
    job: Annotated[str, typer.Argument(help="The job's id.")],
    to: Annotated[str, typer.Option("--to", help="The target's id.")],
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only make it due; web-api delivers.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Deliver a job's finished pictures to a target, again or for the first time, and wait for them.

    web-api does it: stopped here, it goes on; run again, this waits for what is still on its way. Then failed
    ones are tried again, and what lies there already is not sent twice. Exit code 1: some did not arrive.
    """
    result = with_api(lambda api: deliver(api, job, to, wait=not no_wait, say=_say))
    if as_json:
        print_json({"job_id": job, "target_id": to, **asdict(result)})
    elif not result.due:
        typer.echo("There is nothing to deliver: the job has no finished pictures that go to this target.")
    elif no_wait:
        typer.echo(f"{result.due} files are due.")
    else:
        typer.echo(f"{result.delivered} files are there, {len(result.failed)} failed.")
        if result.failed:
            print_table(("path", "error"), [(each["path"], each["last_error"]) for each in result.failed])
    if result.failed:
        raise typer.Exit(1)


def _say(progress: Progress) -> None:
    problem = f" The last try: {progress.problem}" if progress.problem else ""
    typer.echo(f"Still to come: {progress.waiting}.{problem}", err=True)
