"""Password hashes, as many at once as clients ask for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from drivers.passwords import sha512_crypt


def test_hashes_made_at_the_same_time_do_not_mix() -> None:
    wanted = {f"password {number}": f"salt{number:04}" for number in range(60)}
    alone = {password: sha512_crypt(password, salt) for password, salt in wanted.items()}
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(sha512_crypt, wanted, wanted.values()))
    assert together == list(alone.values())
