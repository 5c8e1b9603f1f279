"""What the collector of garbage is spared."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from gateway.garbage import SELDOM, spare_what_is_there
spare_what_is_there()
assert gc.get_freeze_count() > 1000, gc.get_freeze_count()
assert gc.get_threshold()[2] == SELDOM
"""


def test_what_a_start_has_made_is_not_looked_at_again_and_the_rest_seldom() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
