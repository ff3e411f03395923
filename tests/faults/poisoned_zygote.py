"""A decoder that a picture can crash, as one with a fault would be: the child that meets `POISON` aborts.

Run in place of `opal.decoder.zygote`, whose every line it uses.
"""

import os
from typing import Any, Final

from opal.decoder import zygote
from opal.decoder.jobs import JOBS, Task

POISON: Final = b"crash here"
"""At the end of a file, where no decoder looks."""


def decode_or_crash(task: Task) -> dict[str, Any]:
    """A photo's pixels, unless it is poisonous."""
    if os.pread(task.source, len(POISON), task.size - len(POISON)) == POISON:
        os.abort()
    return JOBS["photo"](task)


if __name__ == "__main__":
    zygote.main({**JOBS, "photo": decode_or_crash})
