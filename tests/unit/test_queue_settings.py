"""Which queue the settings name, and what they must not tell."""

import pytest

from opal.assembly import build_identity, build_queues
from opal.errors import InvalidSettings
from opal.queues.servicebus import ServiceBusQueues
from opal.settings import load_settings

_EMULATOR = (
    "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=n;SharedAccessKey=very-secret;UseDevelopmentEmulator=true;"
)


def test_service_bus_needs_a_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPAL_QUEUE_ADAPTER", "servicebus")
    with pytest.raises(InvalidSettings, match="needs OPAL_QUEUE_NAMESPACE"):
        load_settings()


def test_a_fault_beside_a_connection_string_does_not_tell_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPAL_BLOB_ADAPTER", "azure")
    monkeypatch.setenv("OPAL_BLOB_ACCOUNT_KEY", "dmVyeS1zZWNyZXQ=")
    monkeypatch.setenv("OPAL_QUEUE_CONNECTION_STRING", _EMULATOR)
    monkeypatch.setenv("OPAL_QUEUE_ANSWER_S", "0")
    with pytest.raises(InvalidSettings) as told:
        load_settings()
    assert "OPAL_BLOB_ACCOUNT_URL" in str(told.value)
    assert "OPAL_QUEUE_ANSWER_S" in str(told.value)
    assert "very-secret" not in str(told.value)
    assert "dmVyeS1zZWNyZXQ=" not in str(told.value)


async def test_a_connection_string_needs_no_identity_and_a_namespace_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPAL_QUEUE_ADAPTER", "servicebus")
    monkeypatch.setenv("OPAL_QUEUE_CONNECTION_STRING", _EMULATOR)
    assert build_identity(load_settings()) is None
    assert isinstance(build_queues(load_settings()), ServiceBusQueues)
    monkeypatch.delenv("OPAL_QUEUE_CONNECTION_STRING")
    monkeypatch.setenv("OPAL_QUEUE_NAMESPACE", "opal.servicebus.windows.net")
    identity = build_identity(load_settings())
    assert identity is not None
    assert isinstance(build_queues(load_settings(), identity), ServiceBusQueues)
    await identity.close()
