"""What can be wrong with a backup, or with where it is to go."""

from typing import ClassVar

from opal.errors import OpalError


class BackupDamaged(OpalError):
    """The file is not a whole backup of Opal's.

    Nothing was restored. Take another copy of the backup, or an earlier one.
    """

    code: ClassVar[str] = "backup_damaged"
    title: ClassVar[str] = "Backup damaged"
    expected: ClassVar[bool] = True


class BackupTooNew(OpalError):
    """The backup was made by a newer Opal.

    Restore it with that version or a later one: schemas go forward only.
    """

    code: ClassVar[str] = "backup_too_new"
    title: ClassVar[str] = "Backup too new"
    expected: ClassVar[bool] = True


class DataFolderNotEmpty(OpalError):
    """The data folder has something in it; a backup is restored to a new or empty one.

    Choose another folder with `--data` or `OPAL_DATA_DIR`, or move the old one away.
    """

    code: ClassVar[str] = "data_folder_not_empty"
    title: ClassVar[str] = "Data folder not empty"
    expected: ClassVar[bool] = True


class NothingToBackUp(OpalError):
    """There is no embedded database to back up.

    `--data` or `OPAL_DATA_DIR` names the folder. PostgreSQL and Azure Blob Storage have backups of their own
    (docs/upkeep.md).
    """

    code: ClassVar[str] = "nothing_to_back_up"
    title: ClassVar[str] = "Nothing to back up"
    expected: ClassVar[bool] = True
