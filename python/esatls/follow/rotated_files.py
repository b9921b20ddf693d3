"""The files that one log was rotated to, in the order in which they were written.

They have logrotate's names (`mail.log.1`, `mail.log-20261125`, `mail-202611.log`, `mail.1.log`, each perhaps with an ending such as `.gz`) or the
appliance's own (`mail.@20261125T101500.s`, `.c` for the one being written), and are in the log's folder or in a second one (`olddir`).
"""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

_LOOKS = 50
"""The most looks at folders whose files are being renamed."""
_PACKED = re.compile(r"\.(?:gz|bz2|xz|zst)$")
_NUMBER = re.compile(r"[.](\d{1,5})")
_DATE = re.compile(r"[-._](\d{4})-?(\d\d)(?:-?(\d\d)((?:[-._T]?\d){0,20}))?", re.ASCII)
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
    """Return the regular file at a path; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return File(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


class RotatedFiles:
    """The files beside a log, and those in the folder to which its rotated files are moved, if that is another one."""

    def __init__(self, path: str, rotated_to: str | None = None) -> None:
        self.path = os.path.abspath(path)
        self.folders = [os.path.dirname(self.path)]
        if rotated_to is not None and os.path.realpath(rotated_to) != os.path.realpath(self.folders[0]):
            self.folders.append(os.path.abspath(rotated_to))

    def all(self) -> list[File]:
        """Return all files of the folders, as they were at one moment.

        While files are being renamed, one could be seen under two names or under none. Raises `MovedError` if the renaming does not end.
        """
        before: list[tuple[str, int]] | None = None
        for _ in range(_LOOKS):
            paths = (os.path.join(folder, name) for folder in self.folders for name in _names(folder))
            found = [file for path in paths for file in (look(path),) if file is not None]
            now = [(file.path, file.inode) for file in found]
            if now == before:
                return found
            before = now
        raise MovedError

    def series(self) -> list[File]:
        """Return the files that belong to the log, the oldest first and the log itself last; each content once."""
        files = self.all()
        current = next((file for file in files if file.path == self.path), None)
        rotated: dict[str, tuple[File, str, tuple[int, ...]]] = {}
        for file in files:
            if current is not None and (file.device, file.inode) == (current.device, current.inode):
                continue
            plain = _PACKED.sub("", file.path)
            place = self._place(plain)
            # while a file is being compressed, the plain one is still there, and complete
            if place is not None and (plain not in rotated or file.path == plain):
                rotated[plain] = (file, *place)
        found = [*rotated.values()]
        # names show the order only if all are of one kind and in one folder
        if len({(scheme, os.path.dirname(file.path)) for file, scheme, _ in found}) == 1:
            found.sort(key=lambda one: one[2])
        else:
            found.sort(key=lambda one: one[0].changed)
        return [file for file, _, _ in found] + ([current] if current is not None else [])

    def own_names(self) -> bool:
        """Tell whether the files have only the appliance's own names: then it transfers one complete file after another."""
        places = [self._place(_PACKED.sub("", file.path)) for file in self.all()]
        return {place[0] for place in places if place is not None} == {"own"}

    def _place(self, path: str) -> tuple[str, tuple[int, ...]] | None:
        return _place(os.path.basename(path), os.path.basename(self.path))


def _names(folder: str) -> list[str]:
    """Return the names in a folder; none if it is not there (yet)."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _place(name: str, base: str) -> tuple[str, tuple[int, ...]] | None:
    """Return the naming scheme of a rotated file, and a sort key that puts the oldest first; None if it is not one of this log's."""
    stem, ending = os.path.splitext(base)
    for before, after in ((base, ""), (stem, ending)):
        if not name.startswith(before) or not name.endswith(after) or len(name) <= len(before) + len(after):
            continue
        middle = name[len(before) : len(name) - len(after)]
        number, date = _NUMBER.fullmatch(middle), _DATE.fullmatch(middle)
        if number:
            return "number", (-int(number[1]),)
        if date:
            return "date", (int(date[1] + date[2] + (date[3] or "00")), *(int(part) for part in re.findall(r"\d+", date[4] or "")))
    log = base.split(".@", maxsplit=1)[0] if ".@" in base else stem
    own = _OWN.fullmatch(name[len(log) :]) if name.startswith(log + ".@") else None
    if own:
        return "own", (int(own[1].replace("T", "")),)
    return None
