"""The command ``cimi-gateway`` as ``python -m gateway``."""

from gateway.cli import main

main(prog_name="cimi-gateway")
