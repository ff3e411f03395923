"""How a group of settings is read from the environment. Part of `settings.py`."""

from pydantic_settings import SettingsConfigDict


def read_from(prefix: str) -> SettingsConfigDict:
    """The configuration of a group whose variables begin with ``OPAL_`` and ``prefix``."""
    return SettingsConfigDict(env_prefix=f"OPAL_{prefix}", frozen=True, extra="ignore")
