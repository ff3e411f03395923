"""The workflows: actions pinned, rights least, logins without secrets, scripts and variables that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from infra.parameters import ENVIRONMENTS, FOLDER
from tests.project.source_tree import ROOT

_FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_USES = re.compile(r"uses: (?P<action>\S+)(?P<comment>.*)")
_SCRIPT = re.compile(r"python3 -m infra\.deploy\.(\w+)")
# A command's result where its failure is not the script's: anywhere but alone, right of an assignment.
_SWALLOWED = re.compile(r"^(?!\s*\w+=\$\((?:(?!\$\().)*$).*\$\(.*", re.MULTILINE)
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


def _loaded(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text("utf-8")))


def _steps() -> list[dict[str, Any]]:
    return list(_loaded("deploy-environment.yml")["jobs"]["deploy"]["steps"])


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_no_failure_of_a_command_is_swallowed(path: Path) -> None:
    workflow = _loaded(path.name)
    # Without a shell by name, GitHub's bash has no pipefail.
    shell = workflow.get("defaults", {}).get("run", {}).get("shell")
    for job in workflow["jobs"].values():
        for step in job.get("steps", []):
            if "run" in step:
                assert step.get("shell", shell) == "bash", step
                assert not _SWALLOWED.findall(step["run"]), step


@pytest.mark.parametrize(
    ("script", "swallowed"),
    [
        ("name=$(az group show)", False),
        ("  name=$(az group show \\\n  --query x)\necho $name", False),
        ('echo "name=$(az group show)"', True),
        ("export name=$(az group show)", True),
        ('name=$(az group show "$(other)")', True),
    ],
)
def test_where_the_result_of_a_command_is_taken(script: str, swallowed: bool) -> None:
    assert bool(_SWALLOWED.findall(script)) is swallowed


def test_only_what_is_green_is_deployed_and_only_where_there_is_an_azure() -> None:
    jobs = _loaded("deploy.yml")["jobs"]
    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert [jobs[name]["needs"] for name in ENVIRONMENTS] == ["ci", "dev"]
    for name in ENVIRONMENTS:
        assert jobs[name]["if"] == f"contains(vars.OPAL_ENVIRONMENTS, '{name}')"
    # YAML takes the word `on` for a truth.
    on: Any = _loaded("ci.yml")
    assert set(on[True]) == {"pull_request", "workflow_call"}


def test_an_environment_that_waits_for_its_approval_holds_up_no_other() -> None:
    assert "concurrency" not in _loaded("deploy.yml")
    deployment = _loaded("deploy-environment.yml")
    assert "concurrency" not in deployment
    assert deployment["jobs"]["deploy"]["concurrency"] == {
        "group": "deploy-${{ inputs.environment }}",
        "cancel-in-progress": False,
    }


def test_new_apps_are_ready_before_they_are_tried_and_go_back_when_they_do_not_work() -> None:
    steps = _steps()
    at = {script: n for n, step in enumerate(steps) for script in _SCRIPT.findall(step.get("run", ""))}
    (updated,) = (n for n, step in enumerate(steps) if step.get("id") == "apps")
    assert at["migrate"] < updated < at["ready"] < at["journey"]
    back = steps[at["journey"] + 1]
    assert back["if"] == "failure() && steps.apps.outputs.before != ''"
    assert '--app "$BEFORE"' in back["run"]


def test_what_runs_is_remembered_last_and_only_when_all_is_in_order() -> None:
    *_, summary, last = _steps()
    assert summary == {"name": "Summary", "if": "always()", "run": "python3 -m infra.deploy.summary"}
    assert "tags.opalCommit" in last["run"]
    # A step without a condition runs when every one before it succeeded.
    assert "if" not in last


def test_the_endpoints_deployment_is_one_that_there_is() -> None:
    (default,) = re.findall(r"vars\.OPAL_ENDPOINT_FILE \|\| '(\S+)'", _ENVIRONMENT)
    assert (ROOT / default).exists()


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
