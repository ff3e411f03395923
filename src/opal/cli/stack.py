"""The five services as children of one supervisor: their ports, their key, their environment.

Used by `opal up` and `opal demo`, which differ in where the data lies and who looks on.
"""

import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from opal.cli.data_folder import read_development_key, write_development_key
from opal.cli.database_session import in_transaction_async
from opal.cli.ports import LOOPBACK, free_ports, is_free
from opal.cli.supervisor import ChildSpec
from opal.cutout.offer import engines_here
from opal.database import ledger
from opal.database.keys import TENANT_SCOPES, Scope, add_scope, authenticate, create_key, ensure_tenant
from opal.settings import Settings, load_settings, runtime_dir

TENANT = "local"
_CREDITS = 1_000_000
# The supervisor has 5 s in all; a worker that is not done by then gives its item back.
_WORKER_GRACE_S = 2.5


@dataclass(frozen=True, slots=True)
class Stack:
    """Where the five services of one run listen, and what they need to know."""

    data_dir: Path
    web_port: int
    billing_port: int
    scoring_port: int
    orchestrator_port: int
    export_worker_port: int
    scoring_key: str
    engines: str
    """Those that are offered beside the default one, as the setting has them."""

    @property
    def web_url(self) -> str:
        """web-api's address."""
        return f"http://{LOOPBACK}:{self.web_port}"

    @property
    def billing_url(self) -> str:
        """billing-service's address."""
        return f"http://{LOOPBACK}:{self.billing_port}"

    def specs(self) -> list[ChildSpec]:
        """The five children, the slowest to start first."""
        return [
            ChildSpec(
                name=name,
                # -P: the folder that opal was started in must not shadow modules.
                command=(sys.executable, "-P", "-m", "opal", name, "--supervised"),
                environment=self._environment({"OPAL_WORKER_HEALTH_PORT": str(port)}),
                ready_url=f"http://{LOOPBACK}:{port}/readyz",
            )
            for name, port in self._ports.items()
        ]

    @property
    def _ports(self) -> dict[str, int]:
        """Of every service, the slowest to start first."""
        return {
            "scoring": self.scoring_port,
            "web-api": self.web_port,
            "billing-service": self.billing_port,
            "orchestrator": self.orchestrator_port,
            "export-worker": self.export_worker_port,
        }

    def _environment(self, own: Mapping[str, str]) -> dict[str, str]:
        return {
            "OPAL_DATA_DIR": str(self.data_dir),
            "OPAL_WEB_HOST": LOOPBACK,
            "OPAL_WEB_HEALTH_HOST": LOOPBACK,
            "OPAL_WEB_PORT": str(self.web_port),
            "OPAL_WEB_BILLING_PORT": str(self.billing_port),
            "OPAL_SCORING_HOST": LOOPBACK,
            "OPAL_SCORING_PORT": str(self.scoring_port),
            "OPAL_SCORING_URL": f"http://{LOOPBACK}:{self.scoring_port}/score",
            "OPAL_SCORING_KEY": self.scoring_key,
            "OPAL_SCORING_ENGINES": self.engines,
            # rembg's clients know no keys, and everything here listens on loopback.
            "OPAL_REMOVEBG_OPEN_TENANT": TENANT,
            "OPAL_TELEMETRY_SERVICES": ",".join(
                f"{name}=http://{LOOPBACK}:{port}" for name, port in self._ports.items() if name != "web-api"
            ),
            "OPAL_WORKER_GRACE_S": str(_WORKER_GRACE_S),
            "PYTHONUNBUFFERED": "1",
            **own,
        }


def plan_stack(settings: Settings, data_dir: Path, web_port: int, billing_port: int | None = None) -> Stack:
    """Choose ports around ``web_port`` and a fresh scoring key.

    Without ``billing_port`` the one after web-api's is taken when free. Unless ``settings`` say which engines
    are offered, it is those whose weights are here.
    """
    engines = settings.scoring.engines
    if engines is None:
        here = engines_here(settings.models_dir)
        engines = ",".join(name for name in here if name != settings.scoring.engine)
    billing, scoring, orchestrator, export_worker = free_ports(4)
    if billing_port is None and is_free(web_port + 1):
        billing = web_port + 1
    return Stack(
        data_dir=data_dir.absolute(),
        web_port=web_port,
        billing_port=billing_port or billing,
        scoring_port=scoring,
        orchestrator_port=orchestrator,
        export_worker_port=export_worker,
        scoring_key=secrets.token_urlsafe(32),
        engines=engines,
    )


def tidy_up(data_dir: Path) -> None:
    """Remove the sockets' folder, which lies outside the data folder; call when nothing runs on it."""
    shutil.rmtree(runtime_dir(data_dir), ignore_errors=True)


async def prepare_data(data_dir: Path) -> str:
    """Migrate the folder's database, give the tenant credits, and return a development key that works."""
    settings: Settings = load_settings(data_dir=data_dir)
    kept = read_development_key(data_dir)

    async def work(connection: AsyncConnection) -> str:
        await ensure_tenant(connection, TENANT, "This machine")
        if (await ledger.balance(connection, TENANT)).available < _CREDITS // 2:
            await ledger.grant(connection, TENANT, _CREDITS, "opal up")
        known = None if kept is None else await authenticate(connection, kept)
        if kept is not None and known is not None:
            if Scope.OPERATE not in known.scopes:  # made before there was such a scope
                await add_scope(connection, known, Scope.OPERATE)
            return kept
        # Who runs all services of this machine is their operator.
        _, key = await create_key(connection, TENANT, "development", scopes=(*TENANT_SCOPES, Scope.OPERATE))
        return key

    key = await in_transaction_async(settings, work)
    if key != kept:
        write_development_key(data_dir, key)
    return key
