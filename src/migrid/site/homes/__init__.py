"""The confined doors to the users' home directories: the operator's to all homes, and each user's to one."""

from .entries import Entry, EntryKind
from .errors import FileError, Kind
from .home import Home, Space, Usage
from .homes import WELCOME, Homes
from .paths import printable
from .trash import Trash, Trashed
from .upload import Upload

__all__ = [
    "WELCOME",
    "Entry",
    "EntryKind",
    "FileError",
    "Home",
    "Homes",
    "Kind",
    "Space",
    "Trash",
    "Trashed",
    "Upload",
    "Usage",
    "printable",
]
