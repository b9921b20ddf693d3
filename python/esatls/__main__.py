"""`python -m esatls`."""

from esatls.cli.commands import run

run()
