"""docs/settings.md from the groups of ``opal.settings``: variable, default, range, meaning."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from docs.generate.regions import code, table
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from opal.settings import GROUPS, Settings

# Defaults that depend on the machine cannot be printed; they are described.
_COMPUTED = {"OPAL_MODELS_DIR": "`opal/models` in `$XDG_CACHE_HOME` or `~/.cache`"}
_HEADER = ("Variable", "Default", "Range", "Meaning")
_SIGNS: tuple[tuple[type, str, str], ...] = (
    (Ge, "ge", "≥"),
    (Gt, "gt", ">"),
    (Le, "le", "≤"),
    (Lt, "lt", "<"),
)


def parts() -> dict[str, str]:
    """The generated part of the page."""
    sections = [f"## All parts\n\n{_table(Settings)}"]
    sections += [
        f"## {(group.__doc__ or '').strip().rstrip('.')}\n\n{_table(group)}" for group in GROUPS.values()
    ]
    return {"groups": "\n\n".join(sections)}


def _table(group: type[BaseSettings]) -> str:
    return table(_HEADER, list(_rows(group)))


def _rows(group: type[BaseSettings]) -> Iterator[tuple[str, str, str, str]]:
    prefix = str(group.model_config.get("env_prefix", ""))
    for name, field in group.model_fields.items():
        if group is Settings and name in GROUPS:
            continue
        variable = f"{prefix}{name}".upper()
        yield code(variable), _default(variable, field), _range(field), field.description or ""


def _default(variable: str, field: FieldInfo) -> str:
    if field.default_factory is not None:
        return _COMPUTED[variable]
    default: Any = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default in (None, ""):
        return "unset"
    # 1_000_000 reads better in groups of three, but must be typed without them.
    return code(f"{default:g}" if isinstance(default, float) and default < 1e6 else default)


def _range(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(code(choice) for choice in get_args(field.annotation))
    bounds = [
        f"{sign} {getattr(bound, attribute):g}"
        if isinstance(getattr(bound, attribute), float)
        else f"{sign} {getattr(bound, attribute)}"
        for kind, attribute, sign in _SIGNS
        for bound in field.metadata
        if isinstance(bound, kind)
    ]
    return ", ".join(bounds)
