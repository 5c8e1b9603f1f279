"""``python -m drivers.confined CPU_SECONDS MEMORY``: started by the gateway, never by hand."""

from __future__ import annotations

import sys

from drivers.confined.worker import main

if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
