"""The id that one request's story is told under, in logs, messages and answers.

Used by every HTTP service, by the placement endpoint's Azure ML side too, which has none of their frameworks.
"""

import re
import secrets

HEADER = "X-Correlation-Id"
# Narrow enough to be put in a log line, a header and a message unescaped.
_ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def accepted_correlation_id(presented: str | None) -> str:
    """The client's id when it is one to 128 of ``A-Za-z0-9._:-``, else a fresh one."""
    if presented is not None and _ACCEPTED.fullmatch(presented):
        return presented
    return secrets.token_hex(16)
