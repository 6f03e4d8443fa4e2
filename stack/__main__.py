"""`python -m stack` is the command line, for when `dialplane` is not on PATH."""

from stack.cli import main

main()
