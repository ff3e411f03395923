"""A supervised child's half of the bargain: it never outlives its supervisor.

Called first thing by every service command that runs with `--supervised`.
"""

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1
_GRACE_S = 4.0


def end_with_parent() -> None:
    """Ask the kernel, and watch stdin, so that this process ends when its supervisor does.

    The supervisor holds the other end of stdin and never writes: end of file means that it is gone,
    however it died. On Linux the kernel's own signal comes as well, at no cost. Both ask politely
    (SIGTERM); what is left of the process group after ``_GRACE_S`` is killed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    threading.Thread(target=_watch_stdin, name="parent-watch", daemon=True).start()


def _watch_stdin() -> None:
    # os.read, not sys.stdin: a daemon thread inside a buffered read would block interpreter shutdown.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE_S)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)
