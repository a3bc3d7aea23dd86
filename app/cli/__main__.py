"""`python -m app.cli`: the `quire` command."""

from app.cli.main import main

main()
