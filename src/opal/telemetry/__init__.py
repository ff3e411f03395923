"""What a service tells about itself: logs, traces, figures. Each service runs inside ``running``.

``logs.py`` and ``redaction.py`` make every line, ``tracing.py`` every span, ``metrics.py`` declares every
figure. Spans are kept only where the settings name somewhere to send them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opal.settings import Settings
from opal.telemetry import logs, metrics, redaction, tracing


def configure(settings: Settings, service: str) -> None:
    """Send logs to stderr, and spans where the settings say; called once by every process at start."""
    redaction.know(redaction.secrets_in(settings))
    logs.configure(settings.log, service)
    metrics.describe_build(service)
    tracing.start(settings.telemetry, service)


@contextmanager
def running(settings: Settings, service: str) -> Iterator[None]:
    """``configure``, and in the end send off the last spans."""
    configure(settings, service)
    try:
        yield
    finally:
        tracing.stop()
