"""What a backup holds, and in which order: a tar file that is written and read in one pass.

    opal-backup.json           what this is
    delivery-sealing.key …     the folder's keys, unless they were left out
    blobs/<container>/<path>   every blob, and the small files that say their types
    queues.sqlite              messages on the queues
    opal.sqlite                the database, last: it names no blob that does not stand before it
    manifest.jsonl             every member's name, size, sha256 and time; then the sha256 of the first file
                               and of all these lines; then how many there are

The manifest ends the file, so that a backup that was cut off has none. Format 1 had no sum of the manifest.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Final

FORMAT: Final = 2
UNSUMMED: Final = 1
"""The format of before, whose manifest nothing vouches for."""
HEAD: Final = "opal-backup.json"
MANIFEST: Final = "manifest.jsonl"
DATABASE: Final = "opal.sqlite"
QUEUES: Final = "queues.sqlite"
BLOBS: Final = "blobs"
KEYS: Final = ("delivery-sealing.key", "development-key", "url-signing.key")
"""What seals secrets in the database, the key that `opal up` made, and what signs URLs."""

# As `blobs/names.py` has them; a dot before a file's name makes it the one that tells a blob's type.
_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_BLOB = re.compile(rf"blobs/(raw|outputs|exports)(/{_SEGMENT})*/\.?{_SEGMENT}")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the backup as the manifest knows it; ``mtime_ns`` is part of a blob's ETag."""

    name: str
    size: int
    sha256: str
    mtime_ns: int

    def line(self) -> bytes:
        """Its line in the manifest."""
        return json.dumps(asdict(self), sort_keys=True).encode() + b"\n"

    @staticmethod
    def read(line: bytes) -> "Member":
        """The member of a manifest's line. Raises ValueError for what ``line`` would not write."""
        told = json.loads(line)
        if not isinstance(told, dict) or told.keys() != Member.__dataclass_fields__.keys():
            raise ValueError("a line of its manifest names no file")
        member = Member(**told)
        numbers = (member.size, member.mtime_ns)
        # A bool would pass for a number, and a time past this is none that a file can have.
        if any(type(each) is not int or not 0 <= each < 2**63 for each in numbers):
            raise ValueError("a number of its manifest is out of range")
        if not isinstance(member.name, str) or not isinstance(member.sha256, str):
            raise ValueError("a line of its manifest names no file")
        return member


def sum_line(digest: str) -> bytes:
    """The manifest's last line but one: the sha256 of the first file and of all lines before."""
    return json.dumps({"sha256": digest}).encode() + b"\n"


def end_line(members: int) -> bytes:
    """The manifest's last line."""
    return json.dumps({"members": members}).encode() + b"\n"


def is_expected(name: str) -> bool:
    """Whether a backup may hold a file of this name; none of them leads out of the folder."""
    return name in {DATABASE, QUEUES, *KEYS} or (_BLOB.fullmatch(name) is not None and "/../" not in name)
