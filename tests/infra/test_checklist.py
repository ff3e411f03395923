"""What a person types by the checklist is there: extensions of `az`, Opal's commands, secrets."""

import re

import pytest
from infra.parameters import FOLDER
from tests.infra.bicep import APPS, environment
from tests.project.source_tree import ROOT

_CHECKLIST = (ROOT / "DEPLOYMENT-CHECKLIST.md").read_text("utf-8")
_AZURE = (ROOT / "docs" / "azure.md").read_text("utf-8")
_WORKFLOW = (ROOT / ".github" / "workflows" / "deploy-environment.yml").read_text("utf-8")


@pytest.mark.parametrize(
    ("extension", "command"),
    [
        ("ml", "az ml "),
        ("containerapp", "az containerapp "),
        ("log-analytics", "az monitor log-analytics query"),
    ],
)
def test_extensions_are_added_before_they_are_used(extension: str, command: str) -> None:
    (added,) = re.finditer(r"for name in ([a-z -]+); do az extension add --name \$name", _CHECKLIST)
    assert extension in added[1].split()
    assert added.start() < _CHECKLIST.index(command)


def test_opal_is_called_as_it_can_be_in_its_container() -> None:
    commands = re.findall(r"(python -m )?opal (?:keys|credits|queues) ", _CHECKLIST)
    assert commands
    assert all(commands)


def test_every_secret_says_who_puts_it_there() -> None:
    told = _AZURE.partition("| Secret | What it is | Put there |\n")[2].partition("\n\n")[0]
    given = {each["secretRef"] for app in APPS for each in environment(app).values() if "secretRef" in each}
    asked = set(re.findall(r"--name ([a-z]+-key) ", _WORKFLOW))
    assert asked == {"journey-key"}
    listed = {
        name
        for row in told.splitlines()
        for name in re.findall(r"`([a-z-]+-(?:url|key|string))`", row.split("|")[1])
    }
    assert listed == given | asked
    # By a person alone, which the pre-flight tells.
    assert "`journey-key`" in _CHECKLIST.partition("## 2.")[0]


def test_roles_do_not_speak_of_what_is_in_the_image() -> None:
    assert not [path.name for path in FOLDER.rglob("*.bicep") if "scoring script" in path.read_text("utf-8")]
