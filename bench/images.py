"""Importing images by URL: time against curl and qemu-img, and memory while several imports run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.report import Row
from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess, free_port

POOL = "cimi-bench-images"
GIB = 1024**3
AT_ONCE = 4
ROUNDS = 3
SERVER = """
import sys
from aiohttp import web
application = web.Application()
application.router.add_static("/", sys.argv[2])
web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


def measure() -> list[Row]:
    hypervisor.quiet()
    hypervisor.make_pool(POOL)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        directory = Path(home)
        process = GatewayProcess(directory / "gateway", POOL, directory, forked=False)
        process.image_settings = 'private_networks = ["127.0.0.0/8"]'
        process.prepare()
        process.start()
        port, server = serve(directory)
        try:
            write_disk(directory / "disk.raw")
            return rows(process, f"http://127.0.0.1:{port}/disk.raw", directory)
        finally:
            server.terminate()
            server.wait()
            process.kill()
            hypervisor.drop_pool(POOL)


def serve(directory: Path) -> tuple[int, subprocess.Popen[bytes]]:
    port = free_port()
    return port, subprocess.Popen([sys.executable, "-c", SERVER, str(port), str(directory)])


def write_disk(path: Path) -> None:
    """Write 1 GiB, all of it bytes that mean something: the hardest case, since holes cost nothing."""
    block = os.urandom(1024**2)
    with path.open("wb") as file:
        file.write(b"\xfa" * 510 + b"\x55\xaa" + block[512:])
        for number in range(1, 1024):
            file.write(number.to_bytes(8, "big") + block[8:])


def rows(process: GatewayProcess, url: str, directory: Path) -> list[Row]:
    client = process.client()
    client.timeout = 300
    warm(url)
    idle = resident(process)
    pairs = [(directly(url, directory), through_gateway(client, url)) for _ in range(ROUNDS)]
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    most = most_resident(process, client, url)
    return [
        Row("import of a 1 GiB raw image by URL, against curl and qemu-img convert", ratio, 1.3),
        Row(f"resident memory while {AT_ONCE} such imports run, above idle", most - idle, 60.0, " MB"),
    ]


def warm(url: str) -> None:
    """Wait until the server is up, and read the file into the page cache."""
    for _ in range(100):
        if subprocess.run(["curl", "-sf", "-o", "/dev/null", url], check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise SystemExit("the web server did not start")


def directly(url: str, directory: Path) -> float:
    came, made = directory / "came.raw", hypervisor.POOLS / POOL / "direct.raw"
    os.sync()
    began = time.perf_counter()
    subprocess.run(["curl", "-sf", "-o", came, url], check=True)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "raw", came, made], check=True)
    taken = time.perf_counter() - began
    came.unlink()
    made.unlink()
    return taken


def through_gateway(client: CimiClient, url: str) -> float:
    os.sync()
    began = time.perf_counter()
    answer = client.request("POST", "machineImages", {"imageLocation": url}, headers={"Prefer": "wait=60"})
    client.succeed(answer.job, 300)
    taken = time.perf_counter() - began
    client.remove(answer.headers["location"])
    return taken


def most_resident(process: GatewayProcess, client: CimiClient, url: str) -> float:
    """Return the largest resident memory, in MB, while several imports run at once."""
    over, seen = threading.Event(), [resident(process)]

    def look() -> None:
        while not over.wait(0.05):
            seen.append(resident(process))

    looking = threading.Thread(target=look)
    looking.start()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda _n: through_gateway(client, url), range(AT_ONCE)))
    over.set()
    looking.join()
    return max(seen)


def resident(process: GatewayProcess) -> float:
    assert process.process is not None
    for line in Path(f"/proc/{process.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise SystemExit("no VmRSS")
