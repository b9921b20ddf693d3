"""`python -m esatls`."""

from esatls.cli.commands import main

main()
