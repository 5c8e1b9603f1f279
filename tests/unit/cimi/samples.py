"""A full document of every declared type: each attribute is exercised."""

from __future__ import annotations

from typing import Any

COMMON = {"name": "a <name> & more", "description": "what it is", "properties": {"key": "value", "owner": "me"}}

SAMPLES: dict[str, dict[str, Any]] = {
    "CloudEntryPoint": {**COMMON, "baseURI": "http://host/cimi/"},
    "ResourceMetadata": {
        "typeURI": "http://schemas.dmtf.org/cimi/1/Machine",
        "name": "Machine",
        "attributes": [{"name": "cpu", "required": False}],
        "capabilities": [{"name": "UserData", "uri": "http://x/UserData", "description": "how", "value": "disk"}],
        "actions": [
            {
                "name": "start",
                "uri": "http://schemas.dmtf.org/cimi/1/action/start",
                "description": "on",
                "method": "POST",
                "inputMessage": "application/json",
                "outputMessage": "application/json",
            }
        ],
    },
    "Machine": {
        **COMMON,
        "state": "STARTED",
        "cpu": 2,
        "memory": 131072,
        "cpuArch": "x86_64",
        "cpuSpeed": 2400,
        "latestSnapshot": {"href": "machineImages/s1"},
    },
    "Disk": {"name": "vda", "capacity": 20000000, "initialLocation": "/dev/vda"},
    "MachineVolume": {**COMMON, "initialLocation": "/dev/vdb", "volume": {"href": "volumes/1"}},
    "MachineNetworkInterface": {
        **COMMON,
        "network": {"href": "networks/1"},
        "networkPort": {"href": "networkPorts/1"},
        "state": "Active",
        "macAddress": "52:54:00:12:34:56",
        "mtu": 1500,
    },
    "MachineNetworkInterfaceAddress": {**COMMON, "address": {"href": "addresses/1"}},
    "MachineSnapshot": {**COMMON, "snapshot": {"href": "machineImages/s1"}},
    "MachineTemplate": {
        **COMMON,
        "initialState": "STARTED",
        "machineConfig": {"cpu": 1, "memory": 65536, "disks": [{"capacity": 10, "format": "ext4"}]},
        "machineImage": {"href": "machineImages/1"},
        "credential": {"href": "credentials/1"},
        "volumes": [{"href": "volumes/1", "initialLocation": "/dev/vdb"}],
        "volumeTemplates": [
            {"href": "volumeTemplates/1", "initialLocation": "/dev/vdc"},
            {"volumeConfig": {"capacity": 1000}, "volumeImage": {"href": "volumeImages/1"}},
        ],
        "networkInterfaces": [
            {
                "addresses": [{"href": "addresses/1"}],
                "network": {"href": "networks/1"},
                "networkPort": {"href": "networkPorts/1"},
                "state": "Active",
                "mtu": 1500,
            }
        ],
        "userData": "aGVsbG8=",
    },
    "MachineConfiguration": {
        **COMMON,
        "cpu": 2,
        "memory": 4194304,
        "disks": [
            {"capacity": 20000000, "format": "qcow2", "initialLocation": "/dev/vda"},
            {"capacity": 10000, "format": "ext4"},
        ],
        "cpuArch": "x86_64",
        "cpuSpeed": 2000,
    },
    "MachineImage": {
        **COMMON,
        "state": "AVAILABLE",
        "type": "IMAGE",
        "imageLocation": "file:///images/guest.qcow2",
        "relatedImage": {"href": "machineImages/2"},
        "size": 1048576,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
    "Volume": {
        **COMMON,
        "state": "ERROR",
        "type": "mapped",
        "capacity": 10000000,
        "bootable": False,
        "eventLog": {"href": "eventLogs/1"},
        "statusMessage": "its storage volume is gone",
    },
    "VolumeVolumeImage": {**COMMON, "volumeImage": {"href": "volumeImages/1"}},
    "VolumeTemplate": {
        **COMMON,
        "volumeConfig": {"type": "mapped", "format": "raw", "capacity": 10000},
        "volumeImage": {"href": "volumeImages/1"},
        "meterTemplates": [{"href": "meterTemplates/1"}, {"href": "meterTemplates/2"}],
        "eventLogTemplate": {"href": "eventLogTemplates/1"},
    },
    "VolumeConfiguration": {**COMMON, "type": "http://example.org/fast", "format": "qcow2", "capacity": 10000},
    "VolumeImage": {**COMMON, "state": "AVAILABLE", "imageLocation": "file:///images/data.raw", "bootable": True},
    "Meter": {
        **COMMON,
        "targetResource": {"href": "volumes/1"},
        "aspect": "http://schemas.dmtf.org/cimi/1/aspect/disk",
        "units": "kilobytes",
        "sampleInterval": 60,
        "timeScope": "Point",
        "intervalDuration": "PT1H",
        "isContinuous": True,
        "minValue": "0",
        "maxValue": "100",
        "stopTime": "2026-01-02T03:04:05.000Z",
        "expiresTime": "2026-01-02T03:04:05.000Z",
    },
    "Credential": {**COMMON, "userName": "admin", "password": "hidden", "key": "ssh-ed25519 AAAA me@here"},
    "CredentialTemplate": {**COMMON, "userName": "admin", "password": "hidden", "key": "ssh-ed25519 AAAA me@here"},
    "Network": {**COMMON, "state": "STARTED", "networkType": "PUBLIC", "mtu": 1500, "classOfService": "gold"},
    "Address": {
        **COMMON,
        "ip": "192.0.2.7",
        "hostname": "m.example.org",
        "allocation": "dynamic",
        "defaultGateway": "192.0.2.1",
        "dns": ["192.0.2.2", "192.0.2.3"],
        "protocol": "IPv4",
        "mask": "255.255.255.0",
        "network": {"href": "networks/1"},
        "resource": {"href": "machines/1/networkInterfaces/0"},
    },
    "Job": {
        **COMMON,
        "state": "FAILED",
        "targetResource": {"href": "machines"},
        "affectedResources": [{"href": "machines"}, {"href": "machines/1"}],
        "action": "start",
        "returnCode": 10409,
        "progress": 100,
        "statusMessage": "why",
        "timeOfStatusChange": "2026-01-02T03:04:05.000Z",
        "parentJob": {"href": "jobs/1"},
        "nestedJobs": [{"href": "jobs/2"}, {"href": "jobs/3"}],
    },
}
EDGE_ATTRIBUTES = {"created", "updated"}
