"""The user's folders for settings and state, as in the XDG Base Directory Specification."""

from __future__ import annotations

import os


def user_folder(variable: str, *usual: str) -> str | None:
    """Return the folder that a variable such as `XDG_STATE_HOME` names, else the usual one, as parts of a path in the home folder.

    The specification ignores relative paths. Without a home folder, the answer is None: a relative path would be in a folder of somebody else's.
    """
    named = os.environ.get(variable, "")
    folder = named if os.path.isabs(named) else os.path.join(os.path.expanduser("~"), *usual)
    return folder if os.path.isabs(folder) else None
