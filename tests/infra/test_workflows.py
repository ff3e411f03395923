"""The workflows: actions pinned, rights least, logins without secrets, scripts and variables that exist."""

import re
from pathlib import Path

import pytest
from infra.parameters import ENVIRONMENTS, FOLDER
from tests.project.source_tree import ROOT

_FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_USES = re.compile(r"uses: (?P<action>\S+)(?P<comment>.*)")
_SCRIPT = re.compile(r"python3 -m infra\.deploy\.(\w+)")
_ENVIRONMENT = (ROOT / ".github" / "workflows" / "deploy-environment.yml").read_text("utf-8")


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit_and_says_its_version(path: Path) -> None:
    loose = [
        match["action"]
        for match in _USES.finditer(path.read_text("utf-8"))
        if not match["action"].startswith("./")
        and not (
            re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", match["action"])
            and re.fullmatch(r" # v\d+\.\d+\.\d+", match["comment"])
        )
    ]
    assert not loose


def test_an_action_is_pinned_alike_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in _FILES:
        for match in _USES.finditer(path.read_text("utf-8")):
            name, _, commit = match["action"].partition("@")
            pins.setdefault(name, set()).add(commit)
    assert not {name for name, commits in pins.items() if len(commits) > 1}


def test_deployments_have_no_secret_and_no_more_rights_than_they_need() -> None:
    for name in ("deploy.yml", "deploy-environment.yml"):
        text = (ROOT / ".github" / "workflows" / name).read_text("utf-8")
        assert "permissions: {}" in text
        assert "secrets." not in text
        assert "secrets:" not in text
        assert set(re.findall(r"^ +([a-z-]+): (?:write|read)$", text, re.MULTILINE)) == {
            "contents",
            "id-token",
        }
        assert "pull_request" not in text


def test_every_environment_is_deployed_with_its_own_approval() -> None:
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text("utf-8")
    assert re.findall(r"environment: (\w+)", text) == list(ENVIRONMENTS)
    assert "environment: ${{ inputs.environment }}" in _ENVIRONMENT


def test_every_script_of_the_workflow_exists_and_every_script_is_run() -> None:
    run = set(_SCRIPT.findall(_ENVIRONMENT))
    there = {path.stem for path in (FOLDER / "deploy").glob("*.py")}
    assert run <= there
    # What is not run is imported by those that are.
    assert there - run == {"azure_cli", "github", "target", "smoke", "promote"}


def test_the_variables_that_scripts_read_are_set() -> None:
    read = set()
    for path in (FOLDER / "deploy").glob("*.py"):
        read |= set(re.findall(r"os\.environ\[\"(\w+)\"\]", path.read_text("utf-8")))
    for environment in ENVIRONMENTS:
        text = (FOLDER / f"{environment}.bicepparam").read_text("utf-8")
        read |= set(re.findall(r"readEnvironmentVariable\('(\w+)'", text))
    # GitHub sets its own; template.py hands on the images and the traffic that it looked up.
    read -= {"GITHUB_STEP_SUMMARY", "OPAL_APP_IMAGE", "OPAL_MIGRATION_IMAGE", "OPAL_ENDPOINT_TRAFFIC"}
    assert not {name for name in read if not re.search(rf"^ +{name}[:=]", _ENVIRONMENT, re.MULTILINE)}
