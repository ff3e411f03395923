"""Logs as events: constant text, fields beside it, one correlation id through all services.

Called once by every process at start. Secrets never reach a log: signed URLs lose their query, keys
and bearer tokens are masked.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from opal.settings import TelemetrySettings

_SECRETS = (
    # Signed URLs: everything after the question mark is a permission to read or write.
    (re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"']*"), r"\1?[signature removed]"),
    (re.compile(r"\bsig=[^\s&\"']+"), "sig=[removed]"),
    (re.compile(r"(?i)\bSharedAccessKey=[^;\s\"']+"), "SharedAccessKey=[removed]"),
    (re.compile(r"\bopal_([0-9a-f]{4,})_[0-9a-f]{8,}"), r"opal_\1_[secret removed]"),
    (re.compile(r"\bwhsec_[\w+/=-]+"), "whsec_[secret removed]"),
    (re.compile(r"(?i)\bbearer\s+[\w.~+/=-]+"), "Bearer [secret removed]"),
)


def redact(text: str) -> str:
    """``text`` without signatures, API keys' and webhooks' secrets, and bearer tokens."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def configure(settings: TelemetrySettings, service: str) -> None:
    """Send our events and the libraries' log records to stderr in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    if settings.format == "json":
        renderer = structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _add_service(service),
                # Tracebacks become text here, so that they are redacted like everything else.
                structlog.processors.format_exc_info,
                _redact_fields,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level)
    # httpx writes whole URLs, signatures included, at INFO.
    for noisy in ("httpx", "httpcore", "aiosqlite", "asyncio", "pyvips"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("azure").setLevel(logging.WARNING)
    # It logs with a traceback what it also raises to us.
    logging.getLogger("azure.servicebus").setLevel(logging.CRITICAL)
    for server in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic"):
        logging.getLogger(server).handlers = []
        logging.getLogger(server).propagate = True
        logging.getLogger(server).setLevel(logging.WARNING)


def _add_service(service: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    return add


def _redact_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        event[name] = _redacted(value)
    return event


def _redacted(value: Any) -> Any:
    """``value`` with every text in it redacted, however deep in lists and mappings."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(each) for each in value]
    return value
