"""Sealed secrets: unreadable without the key, bound to their owner, and readable while keys change."""

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from opal.assembly import build_sealer
from opal.errors import InvalidSettings, SecretUnreadable
from opal.outgoing_settings import DeliverySettings
from opal.platform_settings import DatabaseSettings
from opal.sealing import Sealer
from opal.settings import load_settings

SECRET = {"secret_access_key": "wJalrXUtnFEMI"}
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_only_key_and_owner_together_open_it() -> None:
    sealed = Sealer([OLD]).seal("target_1", SECRET)
    assert "wJalrXUtnFEMI" not in sealed
    assert Sealer([OLD]).open("target_1", sealed) == SECRET
    assert Sealer([NEW, OLD]).open("target_1", sealed) == SECRET
    for keys, owner in (([NEW], "target_1"), ([OLD], "target_2")):
        with pytest.raises(SecretUnreadable):
            Sealer(keys).open(owner, sealed)
    with pytest.raises(SecretUnreadable):
        Sealer([OLD]).open("target_1", Sealer([NEW, OLD]).seal("target_1", SECRET))


def test_the_data_folders_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "data" / "delivery-sealing.key"
    sealed = Sealer.from_file(file).seal("target_1", SECRET)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Sealer.from_file(file).open("target_1", sealed) == SECRET
    assert list(file.parent.iterdir()) == [file]


def test_what_is_no_key_is_refused_without_showing_it() -> None:
    for keys in (["hunter2"], []):
        with pytest.raises(InvalidSettings) as refused:
            Sealer(keys)
        assert "hunter2" not in refused.value.message


def test_a_database_elsewhere_needs_a_key_that_stays(tmp_path: Path) -> None:
    elsewhere = DatabaseSettings(url="postgresql+asyncpg://database.example/opal")
    with pytest.raises(InvalidSettings, match="OPAL_DELIVERY_KEY: needed"):
        build_sealer(load_settings(data_dir=tmp_path, database=elsewhere))
    assert list(tmp_path.iterdir()) == []
    given = DeliverySettings(key=SecretStr(f"{NEW}, {OLD}"))
    sealer = build_sealer(load_settings(data_dir=tmp_path, database=elsewhere, delivery=given))
    assert sealer.open("target_1", Sealer([OLD]).seal("target_1", SECRET)) == SECRET
    # One that lies in the data folder already goes on being used.
    build_sealer(load_settings(data_dir=tmp_path))
    assert build_sealer(load_settings(data_dir=tmp_path, database=elsewhere))
