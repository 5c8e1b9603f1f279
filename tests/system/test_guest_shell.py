"""What other tests rely on: a command typed into the guest's console gives its output and its exit code."""

from __future__ import annotations

import pytest

from demo.guest_shell import run_in_guest
from tests.cimi_client import CimiClient

pytestmark = pytest.mark.qemu


def test_a_command_in_the_guest_gives_its_output_and_exit_code(admin: CimiClient, guest: str) -> None:
    uuid = guest.rpartition("/")[2]
    assert run_in_guest(uuid, "echo one; echo two; false") == (1, "one\ntwo\n")
    assert run_in_guest(uuid, "cat /proc/sys/kernel/ostype") == (0, "Linux\n")
