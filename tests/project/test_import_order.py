"""The layers of the design: a part imports only what lies below it, and vendors stay in their adapter."""

import ast
from graphlib import CycleError, TopologicalSorter

from tests.project.source_tree import imported_names, modules, where

SERVICES = {"web_api", "billing_service", "orchestrator", "export_worker", "scoring", "console"}
# The console is pages over web-api, in its process (docs/decisions/0014-console-over-web-api.md).
OVER = {("console", "web_api")}

# Lowest first. A part may import parts of its own layer (never in a circle) and of the layers above it here.
LAYERS: tuple[set[str], ...] = (
    {"opal", "errors", "faults", "heap", "numerals"},
    {
        "settings",
        "settings_group",
        "setting_addresses",
        "outgoing_settings",
        "platform_settings",
        "telemetry_settings",
        "items",
        "messages",
        "images",
    },
    {
        "marketplaces",
        "fidelity",
        "telemetry",
        "azure_identity",
        "blobs",
        "queues",
        "database",
        "outgoing",
        "sealing",
        "destinations",
        "cutout",
        "placement",
        "content_credentials",
        "cutout_pictures",
        "decoder",
        "report_page",
    },
    {
        "worker",
        "outbox_relay",
        "webhook_sender",
        "delivery_sender",
        "sweeper",
        "upkeep",
        "backup",
        "operations",
        "http",
        "scoring_client",
        "assembly",
    },
    SERVICES,
    {"cli", "__main__"},
)

# Where a vendor's package may be imported; anything deeper counts too.
VENDORS: dict[str, tuple[str, ...]] = {
    "aiosqlite": ("opal.database", "opal.queues"),
    "alembic": ("opal.database",),
    "asyncpg": ("opal.database",),
    "azure": ("opal.azure_identity", "opal.queues", "opal.blobs", "opal.telemetry"),
    "c2pa": ("opal.content_credentials",),
    "cryptography": ("opal.content_credentials", "opal.sealing"),
    "jinja2": ("opal.report_page", "opal.console"),
    "nncf": ("opal.cutout",),
    "obstore": ("opal.destinations.object_store",),
    "openvino": ("opal.cutout",),
    "opentelemetry": ("opal.telemetry",),
    "prometheus_client": ("opal.telemetry",),
    "sqlalchemy": ("opal.database",),
    "standardwebhooks": ("opal.webhook_sender",),
    "stream_zip": ("opal.web_api",),
    "typer": ("opal.cli",),
    "rich": ("opal.cli",),
}

# The type of the connection that callers of opal.database open and hand through.
_HANDED_THROUGH = {"sqlalchemy.ext.asyncio"}


def _layer(part: str) -> int:
    for number, parts in enumerate(LAYERS):
        if part in parts:
            return number
    raise AssertionError(f"opal.{part} has no layer; give it one in {__file__}")


def _own_imports() -> list[tuple[str, str, str]]:
    """(part, imported part, place) for every import of opal by opal."""
    found = []
    for module in modules():
        for name, line in imported_names(module):
            if name == "opal" or name.startswith("opal."):
                target = name.split(".")[1] if "." in name else "opal"
                # `from opal import __version__` is the package itself.
                target = "opal" if target.startswith("__version") else target
                if target != module.part:
                    found.append((module.part, target, where(module.path, line)))
    return found


def test_every_part_imports_only_what_lies_below_it() -> None:
    upward = [
        f"{place}: {part} imports {target}"
        for part, target, place in _own_imports()
        if _layer(target) > _layer(part)
    ]
    assert not upward, "\n".join(upward)


def test_services_never_import_each_other() -> None:
    sideways = [
        f"{place}: {part} imports {target}"
        for part, target, place in _own_imports()
        if part in SERVICES and target in SERVICES and (part, target) not in OVER
    ]
    assert not sideways, "\n".join(sideways)


def test_no_parts_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for part, target, _ in _own_imports():
        graph.setdefault(part, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"circle of imports: {' <- '.join(error.args[1])}") from error


def test_vendor_packages_stay_in_their_adapter() -> None:
    strays = []
    for module in modules():
        for name, line in imported_names(module):
            homes = () if name in _HANDED_THROUGH else VENDORS.get(name.split(".")[0], ())
            if homes and not any(module.name == home or module.name.startswith(f"{home}.") for home in homes):
                strays.append(f"{where(module.path, line)}: {name} belongs in {', '.join(homes)}")
    assert not strays, "\n".join(strays)


def test_only_settings_reads_the_environment() -> None:
    readers = []
    for module in modules():
        if module.name == "opal.settings":
            continue
        for node in ast.walk(module.tree):
            through_os = (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "os"
                and node.attr in {"environ", "environb", "getenv", "putenv", "unsetenv"}
            )
            by_name = (
                isinstance(node, ast.ImportFrom)
                and node.module == "os"
                and any(alias.name in {"environ", "getenv"} for alias in node.names)
            )
            if through_os or by_name:
                readers.append(where(module.path, getattr(node, "lineno", 0)))
    assert not readers, f"os.environ outside settings.py: {readers}"


# Functions that run a decoder over bytes, by the module that has them; `opal.images` is made of them.
_DECODING = {
    "opal.images.decode": {"decode_photo"},
    "opal.images.existing": {"look_at_existing"},
    "opal.images.facts": {"read_facts"},
    "opal.images.limits": {"probe"},
    "opal.images.loaders": {"read_header"},
}
# Decodes what it has drawn itself.
_AT_HOME = {"opal.export_worker.warm_up"}


def test_strangers_pictures_are_decoded_by_the_decoder_only() -> None:
    strays = []
    for module in modules():
        if module.part in {"images", "decoder"} or module.name in _AT_HOME:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.module in _DECODING:
                taken = {alias.name for alias in node.names} & _DECODING[node.module]
                strays += [f"{where(module.path, node.lineno)}: {name}" for name in sorted(taken)]
    assert not strays, f"decoded in a service's own process: {strays}; take opal.decoder.pictures"
