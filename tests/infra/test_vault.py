"""What counts as missing in Azure, and what the workflow puts into Key Vault."""

from pathlib import Path
from typing import Any

import pytest
from infra.deploy.azure_cli import AzureRefused, DeploymentFailed, azure_cli, found
from infra.deploy.target import Target
from infra.deploy.vault import fill_vault
from tests.infra.scripted_az import ScriptedAz, outputs

TARGET = Target("dev", "opal-dev")

# What `az` says, as its users quote it.
_FORBIDDEN = """ERROR: (Forbidden) Caller is not authorized to perform action on resource.
Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'
Assignment: (not found)
DenyAssignmentId: null
Inner error: {"code": "ForbiddenByRbac"}
"""
_ABSENT = """ERROR: (ResourceNotFound) The Resource 'a' under resource group 'g' was not found.
Code: ResourceNotFound
"""
_NO_ENVIRONMENT = """ERROR: (UserError) No environment exists for name: opal-scoring, version: abab
Code: UserError
"""


@pytest.mark.parametrize(
    ("said", "absent"),
    [
        (_ABSENT, True),
        (_NO_ENVIRONMENT, True),
        ("ERROR: (NotFound) The specified resource was not found.", True),
        (_FORBIDDEN, False),
        ("ERROR: (UserError) Model not found", False),
        ("ERROR: (ResourceGroupNotFound) Resource group 'opal-dev' could not be found.", False),
        ("ERROR: The subscription of 'x' does not exist in cloud 'AzureCloud'.", False),
    ],
)
def test_absence_is_told_by_the_code_and_not_by_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, absent: bool
) -> None:
    program = tmp_path / "az"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    if absent:
        assert found(azure_cli, "containerapp", "show") is None
    else:
        with pytest.raises(DeploymentFailed, match=r"az containerapp show: ERROR: "):
            found(azure_cli, "containerapp", "show")


_SHOW = "keyvault secret show"
_SECRETS = ["scoring-url", "scoring-key", "telemetry-connection-string", "delivery-key"]


def _vault(stored: dict[str, Any]) -> ScriptedAz:
    return ScriptedAz(
        {
            "deployment group show": outputs(vaultName="vault", insightsId="/insights"),
            "ml online-endpoint show": {"scoring_uri": "https://endpoint/score"},
            "ml online-endpoint get-credentials": {"primaryKey": "the-key"},
            "resource show --ids /insights": {"properties": {"ConnectionString": "the-connection"}},
            "keyvault secret list --vault-name vault": [[{"name": name} for name in stored]],
            **{f"{_SHOW} --vault-name vault --name {name}": secret for name, secret in stored.items()},
        }
    )


def test_secrets_reach_the_vault_in_files_and_are_masked_before() -> None:
    az = _vault({})
    masked: list[str] = []
    assert fill_vault(az, TARGET, masked.append) == _SECRETS
    assert az.files["scoring-key"] == "the-key"
    assert az.files["scoring-url"] == "https://endpoint/score"
    assert len(az.files["delivery-key"]) == 44
    secret = ("the-key", "the-connection", az.files["delivery-key"])
    assert set(secret) <= set(masked)
    assert not [line for line in az.asked if any(value in line for value in secret)]


def test_secrets_that_are_there_stay_and_the_sealing_key_is_never_made_twice() -> None:
    stored = {
        "scoring-url": {"value": "https://endpoint/score"},
        "scoring-key": {"value": "an-old-key"},
        "delivery-key": {"value": "sealing"},
        "telemetry-connection-string": {"value": "the-connection"},
    }
    az = _vault(stored)
    assert fill_vault(az, TARGET, lambda _: None) == ["scoring-key"]
    assert list(az.files) == ["scoring-key"]


@pytest.mark.parametrize(
    "unreadable",
    ["keyvault secret list --vault-name vault", f"{_SHOW} --vault-name vault --name scoring-key"],
)
def test_no_key_is_made_where_the_vault_cannot_be_read(unreadable: str) -> None:
    az = _vault({name: {"value": name} for name in _SECRETS})
    az.answers[unreadable] = AzureRefused("az keyvault secret", _FORBIDDEN)
    with pytest.raises(DeploymentFailed, match="Forbidden"):
        fill_vault(az, TARGET, lambda _: None)
    assert not az.files
