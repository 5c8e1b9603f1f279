"""What a start costs besides loading libraries."""

from __future__ import annotations

import subprocess
import sys

import bcrypt

from gateway import users
from gateway.http.authentication import NOBODY


def test_no_password_is_hashed_while_the_program_loads() -> None:
    code = "import bcrypt; bcrypt.hashpw = bcrypt.checkpw = None; import gateway.cli, drivers.libvirt.driver"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_users_cost_as_much_time_as_known_ones_and_no_password_is_theirs() -> None:
    assert NOBODY[:7] == users.hashed("x").encode()[:7]
    assert not bcrypt.checkpw(b"", NOBODY)
