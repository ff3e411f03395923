"""What names a place elsewhere is refused at the start when it can never work, and without its secrets."""

import base64

import pytest
from azure.servicebus import parse_connection_string
from sqlalchemy import make_url

from opal.errors import InvalidSettings
from opal.settings import load_settings

_SIGNED = "SharedAccessKeyName=n;SharedAccessKey=very-secret"

WRONG = [
    *(
        ("OPAL_QUEUE_CONNECTION_STRING", value)
        for value in (
            "",
            "very-secret",
            f"Endpoint=sb://host/;{_SIGNED};very-secret",
            _SIGNED,
            f"Endpoint=banana;{_SIGNED}",
            f"Endpoint=sb://host:notaport/;{_SIGNED}",
            "Endpoint=sb://host/;SharedAccessKey=very-secret",
            f"Endpoint=sb://host/;{_SIGNED};SharedAccessSignature=s",
        )
    ),
    *(("OPAL_QUEUE_NAMESPACE", value) for value in ("", "sb://host", "host:notaport", "host:65536", "a b")),
    *(
        ("OPAL_DATABASE_URL", value)
        for value in (
            "",
            "garbage",
            "postgresql://u:very-secret@host/opal",
            "mysql+aiomysql://u:very-secret@host/opal",
            "postgresql+asyncpg://u:very-secret@host:notaport/opal",
            "postgresql+asyncpg://u:very-secret@host:65536/opal",
            "postgresql+asyncpg://u:very-secret@host/opal?ssl=banana",
            "postgresql+asyncpg://u:very-secret@host/opal?sslmode=require",
            "sqlite+aiosqlite://host/opal.sqlite",
        )
    ),
    *(
        ("OPAL_SCORING_URL", value)
        for value in (
            "",
            "banana",
            "ftp://host/",
            "http://[::1",
            "http://a b/",
            "http://host:99999/",
            "http://:1/",
        )
    ),
    *(("OPAL_BLOB_ACCOUNT_KEY", value) for value in ("", "\n", "very-secret", "abc")),
    ("OPAL_BLOB_ACCOUNT_URL", "https://host:99999"),
    ("OPAL_BLOB_PUBLIC_URL", "banana"),
    ("OPAL_TELEMETRY_OTLP_ENDPOINT", "http://[::1"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_can_never_work_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=name) as told:
        load_settings()
    assert "very-secret" not in str(told.value)


RIGHT = [
    ("OPAL_QUEUE_CONNECTION_STRING", f"Endpoint=sb://127.0.0.1:5672;{_SIGNED};UseDevelopmentEmulator=true;"),
    ("OPAL_QUEUE_CONNECTION_STRING", "Endpoint=sb://host/;SharedAccessSignature=sr=s&sig=x&se=1"),
    ("OPAL_QUEUE_NAMESPACE", "opal.servicebus.windows.net"),
    ("OPAL_QUEUE_NAMESPACE", "127.0.0.1:5671"),
    ("OPAL_DATABASE_URL", "postgresql+asyncpg://u:a/b?c#d[@host:5432/opal?ssl=verify-full"),
    ("OPAL_DATABASE_URL", "postgresql+asyncpg://u@/opal?host=/run/postgresql"),
    ("OPAL_DATABASE_URL", "postgresql+asyncpg://[::1]/opal"),
    ("OPAL_DATABASE_URL", "sqlite+aiosqlite:////data/opal.sqlite"),
    ("OPAL_SCORING_URL", "https://[::1]:8090/score"),
    ("OPAL_BLOB_ACCOUNT_KEY", base64.b64encode(b"key").decode()),
]


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_what_can_work_is_taken(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    load_settings()
    # Those who will use it take it, too.
    if "CONNECTION_STRING" in name:
        parse_connection_string(value)
    if "DATABASE" in name:
        make_url(value)


@pytest.mark.parametrize(
    "url",
    [None, "sqlite+aiosqlite:////x", *(f"postgresql+asyncpg://u@h/d{end}" for end in ("", "?ssl=require"))],
)
def test_a_token_is_shown_to_a_verified_server_only(url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPAL_DATABASE_MANAGED_IDENTITY", "true")
    if url is not None:
        monkeypatch.setenv("OPAL_DATABASE_URL", url)
    with pytest.raises(InvalidSettings, match=r"OPAL_DATABASE_MANAGED_IDENTITY needs .*verify-full"):
        load_settings()
    monkeypatch.setenv("OPAL_DATABASE_URL", "postgresql+asyncpg://u@h/d?ssl=verify-full")
    load_settings()
