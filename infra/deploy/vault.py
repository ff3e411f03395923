"""Puts the endpoint's address and key, and where spans go, into Key Vault; makes the sealing key once.

    python -m infra.deploy.vault

No value is printed: each is masked in the log before it is used, and reaches `az` in a file.
"""

import base64
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.deploy.azure_cli import AzureCli, azure_cli
from infra.deploy.github import mask_in_log
from infra.deploy.target import Target, outputs, target_of_environment


def fill_vault(az: AzureCli, target: Target, mask: Callable[[str], None]) -> list[str]:
    """Names of the secrets that are new or changed; those that are as they should be get no new version."""
    has = outputs(az, target)
    vault = has["vaultName"]
    endpoint = az("ml", "online-endpoint", "show", *target.endpoint)
    key = az("ml", "online-endpoint", "get-credentials", *target.endpoint)["primaryKey"]
    mask(key)
    connection = az("resource", "show", "--ids", has["insightsId"])["properties"]["ConnectionString"]
    mask(connection)
    wanted = {
        "scoring-url": endpoint["scoring_uri"],
        "scoring-key": key,
        "telemetry-connection-string": connection,
    }
    # Whoever may not read the list must not take a secret for missing.
    there = {secret["name"] for secret in az("keyvault", "secret", "list", "--vault-name", vault)}
    changed = [
        name for name, value in wanted.items() if name not in there or _stored(az, vault, name, mask) != value
    ]
    for name in changed:
        _put(az, vault, name, wanted[name])
    # What it sealed can be opened with it alone, so it is never made a second time.
    if "delivery-key" not in there:
        sealing = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        mask(sealing)
        _put(az, vault, "delivery-key", sealing)
        changed.append("delivery-key")
    return changed


def _put(az: AzureCli, vault: str, name: str, value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.touch(mode=0o600)
        file.write_text(value, "utf-8")
        which = ("--vault-name", vault, "--name", name, "--file", str(file), "--encoding", "utf-8")
        az("keyvault", "secret", "set", *which, "--query", "id")


def _stored(az: AzureCli, vault: str, name: str, mask: Callable[[str], None]) -> str:
    value: str = az("keyvault", "secret", "show", "--vault-name", vault, "--name", name)["value"]
    mask(value)
    return value


if __name__ == "__main__":
    done = fill_vault(azure_cli, target_of_environment(), mask_in_log)
    sys.stdout.write(f"Secrets changed: {', '.join(done) or 'none'}.\n")
