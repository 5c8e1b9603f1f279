"""The driver for Apache Libcloud drives Machines, images, sizes and Volumes through their lives."""

from __future__ import annotations

import json

from tests.contrib.environment import Run

LIFE = """
import json, os
import cimi_libcloud
from libcloud.compute.base import NodeAuthSSHKey
from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState

cimi_libcloud.register()
driver = get_driver("cimi")(os.environ["CIMI_USER"], os.environ["CIMI_PASSWORD"], url=os.environ["CIMI_URL"])
said = {}
size = next(size for size in driver.list_sizes() if size.name == "medium")
said["size"] = [size.ram, size.disk, size.extra["cpu"]]
image = next(image for image in driver.list_images() if image.name == "guest")
node = driver.create_node("web1", size, image, auth=NodeAuthSSHKey("ssh-ed25519 AAAA me@here"), ex_user="ops")

def state():
    return next(one.state for one in driver.list_nodes() if one.id == node.id)

said["states"] = [state()]
for act in (driver.stop_node, driver.start_node, driver.reboot_node):
    assert act(node)
    said["states"].append(state())
volume = driver.create_volume(2, "data")
said["volume"] = [one.size for one in driver.list_volumes() if one.name == "data"]
assert driver.attach_volume(node, volume, "vdc")
assert driver.detach_volume(volume)
assert driver.destroy_volume(volume)
assert driver.destroy_node(node)
said["left"] = [len(driver.list_nodes()), len(driver.list_volumes())]
driver.close()
print(json.dumps(said))
"""


def test_a_node_lives_its_whole_life_with_a_volume(run: Run) -> None:
    said = json.loads(run("python", "-c", LIFE))
    assert said == {
        "size": [2048, 20, 2],
        "states": ["running", "stopped", "running", "running"],
        "volume": [2],
        "left": [0, 0],
    }


def test_a_wrong_password_is_told_in_the_providers_words(run: Run) -> None:
    program = """
import os, cimi_libcloud
from cimi_client import Denied
driver = cimi_libcloud.CimiNodeDriver("admin", "wrong", url=os.environ["CIMI_URL"])
try:
    driver.list_nodes()
except Denied as error:
    print(error)
driver.close()
"""
    assert "password is wrong" in run("python", "-c", program)
