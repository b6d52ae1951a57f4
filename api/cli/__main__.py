"""`python -m api.cli` is `reqledger`."""

from api.cli import main

main()
