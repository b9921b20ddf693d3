"""The checkpoint: two lines of JSON, a head with version and digest, and the body. It is written completely or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from esatls.errors import EsatlsError
from esatls.output.file import is_special
from esatls.user_folders import user_folder

_FORMAT = "esatls follow"
_VERSION = 2
_LARGEST = 1 << 30


class CheckpointError(EsatlsError):
    """A checkpoint cannot be used: it is damaged, in use, cannot be read or written, or belongs to something else."""


class OtherVersionError(Exception):
    """A checkpoint contains facts that this version does not know."""


def default_path(log: str, output: str | None) -> str:
    """Return the default path of the checkpoint: beside the output file, or else in the user's state folder (XDG), which is created if necessary."""
    # beside a pipe or a device there may be no room, as in /dev/fd
    if output is not None and output != "-" and not is_special(output):
        return f"{output}.checkpoint"
    state = user_folder("XDG_STATE_HOME", ".local", "state")
    if state is None:
        raise CheckpointError("no home folder for the checkpoint; use --checkpoint")
    name = hashlib.sha256(os.fsencode(os.path.abspath(log))).hexdigest()[:16]
    path = os.path.join(state, "esatls", f"follow-{name}.json")
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be written: {error.strerror}") from error
    return path


def load(path: str) -> dict[str, Any] | None:
    """Return the body of a checkpoint; None if there is none yet. Raises `CheckpointError` if it cannot be used."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be read: {error.strerror}") from error
    first, _, second = data.partition(b"\n")
    try:
        head = json.loads(first)
        body: Any = json.loads(second) if head["format"] == _FORMAT and head["version"] == _VERSION else None
    except (ValueError, TypeError, LookupError, RecursionError):
        head, body = {}, None
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: is not a checkpoint, or is damaged; {_ADVICE}")
    if head.get("version") != _VERSION:
        raise other_version(path)
    if not isinstance(body, dict) or head.get("sha256") != hashlib.sha256(second).hexdigest():
        raise damaged(path)
    return body


_ADVICE = "use another --checkpoint, or --fresh to start over"


def damaged(path: str) -> CheckpointError:
    """Return the error for a checkpoint that makes no sense."""
    return CheckpointError(f"{path}: the checkpoint is damaged; {_ADVICE}")


def other_version(path: str) -> CheckpointError:
    """Return the error for a checkpoint that this version cannot read."""
    return CheckpointError(f"{path}: was written by another version; {_ADVICE}")


def foreign(path: str, log: str) -> CheckpointError:
    """Return the error for the checkpoint of another log."""
    return CheckpointError(f"{path}: is the checkpoint of {log}; {_ADVICE}")


def save(path: str, body: dict[str, Any]) -> None:
    """Write a checkpoint to a file beside it, sync that to disk, and rename it to its place."""
    second = json.dumps(body, separators=(",", ":")).encode("ascii")
    head = {"format": _FORMAT, "version": _VERSION, "sha256": hashlib.sha256(second).hexdigest()}
    beside = path + ".tmp"
    # a link may lead to somebody else's file; the log names people, so only the user may read the checkpoint
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
            file.write(json.dumps(head).encode("ascii") + b"\n" + second)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        sync_folder(path)
    except OSError as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be written: {error.strerror}") from error


def sync_folder(path: str) -> None:
    """Sync the folder of a file, so that its name is on disk, too."""
    if os.name == "nt":
        return
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def lock(path: str) -> int | None:
    """Lock a checkpoint for this process; return the file descriptor that holds the lock. Raises `CheckpointError` if another process holds it."""
    try:
        handle = os.open(path + ".lock", os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be written: {error.strerror}") from error
    try:
        import fcntl
    except ImportError:  # Windows
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise CheckpointError(f"{path}: another process is using this checkpoint; use another --checkpoint") from error
    return handle
