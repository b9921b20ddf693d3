"""The configuration file, and the command `esatls config`, which shows the settings in effect and their file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from esatls.errors import InputError, UsageError
from esatls.output.text import printable
from esatls.user_folders import user_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "ESATLS_CONFIG"
SETTINGS: dict[str, tuple[type, str]] = {
    "timezone": (str, "time zone of the log"),
    "host": (str, "name of the appliance, for lines that do not name it"),
    "hosts": (list, "names of appliances by serial number, such as SERIAL=NAME"),
    "jobs": (int, "number of processes"),
    "title": (str, "title of the report"),
    "organisation": (str, "organisation that the report is about"),
    "own_domains": (list, "your own domains, listed separately from partners"),
    "partners": (str, "list of partners that esatls check reads"),
}
"""The settings that the file may have, each with its type and meaning. A setting is the default of the option of its name."""
JOBS = 1, 64
"""The least and the most processes that may be asked for."""
_WORDS = {str: "text in quotes", int: "a number", list: 'a list such as ["example.com"]'}


def default_path() -> str | None:
    """Return the usual path of the file; None without a home folder."""
    folder = user_folder("XDG_CONFIG_HOME", ".config")
    return folder and os.path.join(folder, "esatls", "config.toml")


def read(path: str | None) -> tuple[str | None, dict[str, Any]]:
    """Return the path of the file in effect and its settings; None and no settings if there is only the usual path and no such file.

    `path` comes from --config; if it is None, ESATLS_CONFIG may name the file. Raises `InputError` if the file cannot be read, and `UsageError` if it is not
    TOML or has a wrong setting.
    """
    wanted = path or os.environ.get(VARIABLE) or None
    found = wanted or default_path()
    if found is None:
        return None, {}
    try:
        with open(found, "rb") as file:
            data = file.read()
    except OSError as error:
        if wanted is None and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return None, {}
        raise InputError(f"{found}: cannot be read: {error.strerror}") from error
    return found, _settings(found, data)


def _settings(path: str, data: bytes) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        told: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise UsageError(f"{path}: is not TOML: {error}") from error
    from esatls.lines.clock import zone

    for name, value in told.items():
        if name not in SETTINGS:
            raise UsageError(f"{path}: no such setting: {name}; the settings are {', '.join(SETTINGS)}")
        kind = SETTINGS[name][0]
        if type(value) is not kind or (isinstance(value, list) and not all(isinstance(one, str) for one in value)):
            raise UsageError(f"{path}: {name} must be {_WORDS[kind]}")
        if any("\0" in one for one in (value if isinstance(value, list) else [str(value)])):
            raise UsageError(f"{path}: {name} must not contain a NUL")
    if not JOBS[0] <= told.get("jobs", JOBS[0]) <= JOBS[1]:
        raise UsageError(f"{path}: jobs must be a number from {JOBS[0]} to {JOBS[1]}")
    if "timezone" in told:
        try:
            zone(told["timezone"])
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
    if "partners" in told:
        # a relative path is relative to the folder of the file
        told["partners"] = os.path.join(os.path.dirname(os.path.abspath(path)), os.path.expanduser(told["partners"]))
    return told


def defaults(group: click.Group, context: click.Context, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as defaults for each command that has an option of that name; options on the command line win.

    Most commands have one option for `host` and `hosts`.
    """
    found: dict[str, Any] = {}
    hosts = [*([settings["host"]] if "host" in settings else []), *settings.get("hosts", [])]
    if hosts:
        settings = {**settings, "hosts": hosts}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            known = {option.name for option in command.params}
            found[name] = {setting: value for setting, value in settings.items() if setting in known}
    return found


@click.command()
@click.pass_context
def config(context: click.Context) -> None:
    """Show the settings in effect, and the configuration file that they come from."""
    path, settings = context.obj
    usual = default_path() or "~/.config/esatls/config.toml"
    click.echo(f"File: {printable(path or usual)}" + ("" if path else " (does not exist)"))
    width = max(map(len, SETTINGS))
    for name, (_, meaning) in SETTINGS.items():
        value = settings.get(name)
        shown = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name:<{width}}  {'not set' if value is None else printable(str(shown))}  ({meaning})")
