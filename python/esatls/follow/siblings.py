"""The files that one log was rotated to, in the order in which they were written.

logrotate's names (`mail.log.1`, `mail.log-20261125`, `mail-20261125.log`, `mail.1.log`, each perhaps with `.gz` and the like) and the
appliance's own (`mail.@20261125T101500.s`, `.c` for the one being written).
"""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

_LOOKS = 50
"""Most looks at a folder whose files do not stand still."""
_PACKED = re.compile(r"\.(?:gz|bz2|xz|zst)$")
_NUMBER = re.compile(r"[.](\d{1,6})")
_DATE = re.compile(r"[-._](\d{4})-?(\d\d)-?(\d\d)((?:[-._T]?\d){0,20})", re.ASCII)
_OWN = re.compile(r"\.@(\d{8}T\d{6})\.[sc]", re.ASCII)


class MovedError(Exception):
    """A file is not where it was a moment ago."""


class File(NamedTuple):
    """A file on disk, as it was found."""

    path: str
    device: int
    inode: int
    size: int
    changed: int
    """Time of the last change, in nanoseconds."""

    @property
    def packed(self) -> bool:
        """Whether its name says that it is compressed."""
        return _PACKED.search(self.path) is not None


def look(path: str) -> File | None:
    """Return a regular file or FIFO that is there; None if it is not."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return File(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def neighbours(path: str) -> list[File]:
    """Return all files of the folder that a log lies in, as they were at one moment.

    While they are being renamed, a file could be seen under two names or under none. `MovedError` if they never stand still.
    """
    folder = os.path.dirname(os.path.abspath(path))
    before: list[tuple[str, int]] | None = None
    for _ in range(_LOOKS):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return []
        found = [file for name in names for file in (look(os.path.join(folder, name)),) if file is not None]
        now = [(file.path, file.inode) for file in found]
        if now == before:
            return found
        before = now
    raise MovedError


def series(path: str) -> list[File]:
    """Return the files that belong to a log, the oldest first and the log itself last; each content once."""
    base = os.path.basename(path)
    files = neighbours(path)
    current = next((file for file in files if os.path.basename(file.path) == base), None)
    rotated: dict[str, tuple[File, str, tuple[int, ...]]] = {}
    for file in files:
        name = os.path.basename(file.path)
        if current is not None and (file.device, file.inode) == (current.device, current.inode):
            continue
        plain = _PACKED.sub("", name)
        place = _place(plain, base)
        # compressing keeps the plain file until the other one is whole
        if place is not None and (plain not in rotated or name == plain):
            rotated[plain] = (file, *place)
    found = [*rotated.values()]
    if len({scheme for _, scheme, _ in found}) == 1:
        found.sort(key=lambda one: one[2])
    else:
        found.sort(key=lambda one: one[0].changed)
    return [file for file, _, _ in found] + ([current] if current is not None else [])


def own_names(path: str) -> bool:
    """Tell whether only files with the appliance's own names are there: it hands over one whole file after another."""
    base = os.path.basename(path)
    places = [_place(_PACKED.sub("", os.path.basename(file.path)), base) for file in neighbours(path)]
    schemes = {place[0] for place in places if place is not None}
    return schemes == {"own"}


def _place(name: str, base: str) -> tuple[str, tuple[int, ...]] | None:
    """Return how a rotated file is named, and a key that puts the oldest first; None if it is not one of this log."""
    stem, ending = os.path.splitext(base)
    for before, after in ((base, ""), (stem, ending)):
        if not name.startswith(before) or not name.endswith(after) or len(name) <= len(before) + len(after):
            continue
        middle = name[len(before) : len(name) - len(after)]
        number, date = _NUMBER.fullmatch(middle), _DATE.fullmatch(middle)
        if number:
            return "number", (-int(number[1]),)
        if date:
            return "date", (int(date[1] + date[2] + date[3]), *(int(part) for part in re.findall(r"\d+", date[4])))
    log = base.split(".@", maxsplit=1)[0] if ".@" in base else stem
    own = _OWN.fullmatch(name[len(log) :]) if name.startswith(log + ".@") else None
    if own:
        return "own", (int(own[1].replace("T", "")),)
    return None
