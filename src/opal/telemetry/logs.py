"""Logs as events: constant text, fields beside it, one correlation id through all services.

docs/operations/events.md lists them. Secrets never reach a log: ``redaction.py`` sees every field.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from opal.telemetry.redaction import redacted_field
from opal.telemetry.tracing import current_ids
from opal.telemetry_settings import LogSettings

# They write whole URLs, signatures included, or a line for every small thing they do.
_NOISY = (
    "httpx",
    "httpcore",
    "aiosqlite",
    "asyncio",
    "pyvips",
    "urllib3",
    "requests",
    "msal",
    "numba",
    "opentelemetry",
)


def configure(settings: LogSettings, service: str) -> None:
    """Send our events and the libraries' log records to stderr in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
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
    for noisy in _NOISY:
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
        event[name] = redacted_field(name, value)
    return event


def _add_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.update(current_ids())
    return event
