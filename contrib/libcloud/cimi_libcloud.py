"""A compute driver for Apache Libcloud: Machines, images, configurations and Volumes of a CIMI provider.

After ``register()``, ``get_driver("cimi")(user, password, url=...)`` is a driver as all are.
It stands on ``cimi_client`` alone, and so drives every CIMI 1.x provider.
"""

from __future__ import annotations

from typing import Any

from cimi_client import Login, NotFound, Query, Resource, Server, SyncClient
from libcloud.compute.base import Node, NodeAuthSSHKey, NodeDriver, NodeImage, NodeSize, StorageVolume
from libcloud.compute.providers import set_driver
from libcloud.compute.types import NodeState

NAME = "cimi"
STATES = {
    "STARTED": NodeState.RUNNING,
    "STOPPED": NodeState.STOPPED,
    "PAUSED": NodeState.PAUSED,
    "SUSPENDED": NodeState.SUSPENDED,
    "CREATING": NodeState.PENDING,
    "STARTING": NodeState.STARTING,
    "STOPPING": NodeState.STOPPING,
    "ERROR": NodeState.ERROR,
}
KILOBYTES = 1_000_000
"""In a gigabyte."""
KIBIBYTES = 1024
"""In a mebibyte."""


def register() -> None:
    """Make the driver known to Libcloud."""
    set_driver(NAME, __name__, "CimiNodeDriver")


class CimiNodeDriver(NodeDriver):  # type: ignore[misc]
    """A user at a CIMI provider, whose Cloud Entry Point is at ``url``. Calls return when what they ask for is done."""

    name = "CIMI"
    website = "https://www.dmtf.org/standards/cloud"
    type = NAME
    features = {"create_node": ["ssh_key"]}

    def __init__(self, key: str, secret: str = "", *, url: str, **_more: Any) -> None:
        super().__init__(key, secret)
        self._client = SyncClient(Server(url, Login(key, secret)))
        self._client.__enter__()

    def close(self) -> None:
        """End the connections."""
        self._client.__exit__(None, None, None)

    # Machines

    def list_nodes(self) -> list[Node]:
        """Return the Machines with the addresses that their guests use."""
        addresses: dict[str, list[str]] = {}
        for one in self._client.items("addresses"):
            interface = one.href("resource") or ""
            addresses.setdefault(interface.partition("/networkInterfaces/")[0], []).append(one.text("ip"))
        return [self._node(machine, addresses.get(machine.id, [])) for machine in self._client.items("machines")]

    def create_node(self, name: str, size: NodeSize, image: NodeImage, auth: Any = None, **more: Any) -> Node:
        """Make a Machine that runs. ``auth`` is a NodeAuthSSHKey; ``ex_user`` is whom its key lets in."""
        template: dict[str, Any] = {
            "machineConfig": {"href": size.id},
            "machineImage": {"href": image.id},
            "initialState": "STARTED",
        }
        if isinstance(auth, NodeAuthSSHKey):
            user = more.get("ex_user") or image.extra.get("sshUser") or "root"
            template["credential"] = {"userName": user, "key": auth.pubkey}
        return self._node(self._client.create("machines", {"name": name, "machineTemplate": template}), [])

    def start_node(self, node: Node) -> bool:
        """Start a Machine."""
        return self._act(node.id, "start")

    def stop_node(self, node: Node) -> bool:
        """Stop a Machine, by force: as its power switch does."""
        return self._act(node.id, "stop", {"force": True})

    def reboot_node(self, node: Node) -> bool:
        """Stop a Machine by force, and start it."""
        return self._act(node.id, "restart", {"force": True})

    def destroy_node(self, node: Node) -> bool:
        """Delete a Machine with its own disks."""
        self._client.delete(self._client.get(node.id))
        return True

    def _act(self, url: str, verb: str, parameters: dict[str, Any] | None = None) -> bool:
        self._client.act(self._client.get(url), verb, parameters or {})
        return True

    def _node(self, machine: Resource, addresses: list[str]) -> Node:
        state = STATES.get(machine.state, NodeState.UNKNOWN)
        extra = {"cpu": machine.number("cpu"), "memory": machine.number("memory")}
        return Node(machine.id, machine.name or machine.key, state, addresses, [], self, extra=extra)

    # What Machines are made of

    def list_images(self, location: Any = None) -> list[NodeImage]:
        """Return the MachineImages that Machines can be made of."""
        images = self._client.items("machineImages")
        return [self._image(image) for image in images if image.state in ("", "AVAILABLE")]

    def _image(self, image: Resource) -> NodeImage:
        return NodeImage(image.id, image.name or image.key, self, extra=dict(image.properties))

    def list_sizes(self, location: Any = None) -> list[NodeSize]:
        """Return the MachineConfigurations: RAM in MiB, disks in GB."""
        return [self._size(configuration) for configuration in self._client.items("machineConfigs")]

    def _size(self, configuration: Resource) -> NodeSize:
        memory = (configuration.number("memory") or 0) // KIBIBYTES
        disk = sum(one.number("capacity") or 0 for one in configuration.parts("disks")) // KILOBYTES
        extra = {"cpu": configuration.number("cpu")}
        return NodeSize(configuration.id, configuration.name, memory, disk, 0, 0.0, self, extra=extra)

    # Volumes

    def list_volumes(self) -> list[StorageVolume]:
        """Return the Volumes: sizes in GB."""
        return [self._volume(volume) for volume in self._client.items("volumes")]

    def create_volume(self, size: int, name: str, location: Any = None, snapshot: Any = None) -> StorageVolume:
        """Make an empty Volume of so many GB."""
        template = {"volumeConfig": {"capacity": size * KILOBYTES}}
        return self._volume(self._client.create("volumes", {"name": name, "volumeTemplate": template}))

    def destroy_volume(self, volume: StorageVolume) -> bool:
        """Delete a Volume."""
        self._client.delete(self._client.get(volume.id))
        return True

    def attach_volume(self, node: Node, volume: StorageVolume, device: str | None = None) -> bool:
        """Connect a Volume with a Machine, at a device such as ``vdb`` where that is said."""
        document: dict[str, Any] = {"volume": {"href": volume.id}}
        if device:
            document["initialLocation"] = device
        self._client.create(self._client.get(node.id).href("volumes") or "", document)
        return True

    def detach_volume(self, volume: StorageVolume) -> bool:
        """Take a Volume from the Machines that have it. Raises NotFound when none has."""
        entries = [
            entry
            for machine in self._client.items("machines", Query(expand=("volumes",)))
            for entry in machine.part("volumes").items
            if entry.href("volume") == volume.id
        ]
        for entry in entries:
            self._client.delete(self._client.get(entry.id))
        if not entries:
            raise NotFound(f"{volume.name} is in no Machine", 404, volume.id)
        return True

    def _volume(self, volume: Resource) -> StorageVolume:
        size = (volume.number("capacity") or 0) // KILOBYTES
        return StorageVolume(volume.id, volume.name or volume.key, size, self, extra={"state": volume.state})
