"""``python -m topologies.cli``: the command line without its installed name."""

from topologies.cli import main

main()
