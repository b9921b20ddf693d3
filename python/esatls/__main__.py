"""`python -m esatls`."""

from esatls.cli import main

main()
