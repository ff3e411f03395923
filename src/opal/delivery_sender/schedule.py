"""When a picture's delivery is tried again; the arithmetic is in ``outgoing/patience.py``."""

from typing import Final

_MINUTE, _HOUR = 60, 3600
# After the first try, which is made at once: nine tries within 39 hours and 36 minutes. A full disk, a key
# that ran out or a bucket that is gone are mended by people, in a working day or two.
SCHEDULE_S: Final = (5, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 8 * _HOUR, 24 * _HOUR)
