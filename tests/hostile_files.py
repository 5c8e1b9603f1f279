"""Files that are made to cost their reader as much as they can: images of every format, and the parts of packages."""

from __future__ import annotations

import struct
import tarfile
import zlib
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drivers.images.vhdx import DISK_SIZE, FILE_PARAMETERS, METADATA_REGION
from tests.unit.ovf.samples import HEAD, item, ova

MIB = 1024**2
SECTOR = 512


def vmdk(more: bytes, size: int = 64 * 1024) -> bytes:
    """A streamOptimized vmdk whose descriptor has these lines behind its first one."""
    header = struct.pack("<4sIIQQQQIQQQ", b"KDMV", 3, 0x30001, 2048, 128, 1, 20, 512, 0, 26, 128)
    header = header.ljust(77, b"\0") + struct.pack("<H", 1)
    descriptor = b"# Disk DescriptorFile\n" + more
    return (header.ljust(SECTOR, b"\0") + descriptor[: 20 * SECTOR].ljust(20 * SECTOR, b"\0")).ljust(size, b"\0")


def vmdk_of_blanks(number: int = 2600) -> bytes:
    """Its type is written with blanks, and then with a quote where none belongs."""
    return vmdk(b"createType=" + b" " * number + b'"a"b\n')


def vmdk_of_lines(number: int = 10_000) -> bytes:
    """Nothing but beginnings of what is looked for, and blanks."""
    return vmdk((b"RW\t" * number)[: number // 2] + b"\n" * (number // 4) + b"parentCID = " + b"\t" * number)


def vmdk_of_grains(number: int = 500) -> bytes:
    """A whole disk, each grain of which is packed to nearly nothing."""
    packed = zlib.compress(bytes(65536), 9)
    content = bytearray(vmdk(b'createType="streamOptimized"\nparentCID=ffffffff\nRW 1 SPARSE "x"\n'))
    places, directory = [], []
    for index in range(number):
        places.append(len(content) // SECTOR)
        content += (struct.pack("<QI", index * 128, len(packed)) + packed).ljust(SECTOR, b"\0")
    for start in range(0, number, 512):
        directory.append(len(content) // SECTOR)
        content += struct.pack("<512I", *places[start : start + 512], *[0] * (512 - len(places[start : start + 512])))
    struct.pack_into("<Q", content, 12, number * 128)
    struct.pack_into("<Q", content, 56, len(content) // SECTOR)
    return bytes(content) + struct.pack(f"<{len(directory)}I", *directory).ljust(SECTOR, b"\0")


def qcow2(cluster_bits: int = 9, *, bomb: bool = False) -> bytes:
    """Its first guest bytes are in many small clusters, or packed ones that unpack to as much as they can."""
    cluster = 1 << cluster_bits
    header = b"QFI\xfb" + struct.pack(">IQIIQIIQQIIQ", 3, 0, 0, cluster_bits, 64 * MIB, 0, 4096, 65536, 32768, 1, 0, 0)
    header += struct.pack(">QQQII", 0, 0, 0, 4, 104)
    extensions = b"".join(struct.pack(">II", 0x6803F857, 8) + bytes(8) for _ in range(63))
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    packed = packer.compress(bytes(min(cluster, 2 * MIB))) + packer.flush()
    sectors = ((1 << cluster_bits - 8) - 1) << (62 - (cluster_bits - 8))
    entry = (1 << 62 | sectors | 512 * 1024) if bomb else 512 * 1024
    tables = struct.pack(">Q", 131072) * 4096 + struct.pack(">Q", entry) * 16384
    content = (header + extensions).ljust(65536, b"\0") + tables[:32768].ljust(65536, b"\0")
    content += (struct.pack(">Q", entry) * 16384).ljust(384 * 1024, b"\0")
    return content.ljust(512 * 1024, b"\0") + packed.ljust(64 * 1024, b"\0") * 8


def vdi(number: int = 10**6) -> bytes:
    """A table of so many blocks, in a file that is too short for it by one."""
    header = bytearray(512)
    header[64:80] = struct.pack("<IIII", 0xBEDA107F, 0x00010001, 400, 1)
    struct.pack_into("<II", header, 340, 512, 512)
    struct.pack_into("<QIII", header, 368, number * MIB, MIB, 0, number)
    return bytes(header) + b"\xff" * 4096


def vhd(size: int = 64 * 1024) -> bytes:
    """A dynamic disk with a right sum, and a header that lies at the end."""
    footer = bytearray(512)
    footer[:8] = b"conectix"
    struct.pack_into(">Q", footer, 16, size - 1024)
    struct.pack_into(">Q", footer, 48, 64 * MIB)
    struct.pack_into(">HBBI", footer, 56, 65535, 16, 255, 3)
    struct.pack_into(">I", footer, 64, ~sum(footer) & 0xFFFFFFFF)
    return bytes(footer).ljust(size - 1024, b"\xff") + b"cxsparse".ljust(1024, b"\xff")


def vhdx(number: int = 2047) -> bytes:
    """As many regions and metadata as there may be, what is looked for last of all."""
    content = bytearray(512 * 1024)
    content[:8] = b"vhdxfile"
    for at in (64 * 1024, 128 * 1024):
        content[at : at + 4] = b"head"
    content[192 * 1024 : 192 * 1024 + 16] = struct.pack("<4sIII", b"regi", 0, number, 0)
    regions = b"".join(UUID(int=one).bytes_le + bytes(16) for one in range(1, number))
    regions += METADATA_REGION + struct.pack("<QII", 320 * 1024, 65536, 1)
    content[192 * 1024 + 16 : 192 * 1024 + 16 + len(regions)] = regions
    items = b"".join(UUID(int=one).bytes_le + bytes(16) for one in range(1, number - 1))
    items += FILE_PARAMETERS + struct.pack("<IIII", 70000, 8, 0, 0) + DISK_SIZE + struct.pack("<IIII", 70008, 8, 0, 0)
    content[320 * 1024 : 320 * 1024 + 12] = struct.pack("<8sHH", b"metadata", 0, number)
    content[320 * 1024 + 32 : 320 * 1024 + 32 + len(items)] = items
    return bytes(content)


def raw() -> bytes:
    """A partition table that begins at the last sector that is looked at."""
    head = bytearray(128 * 1024)
    head[510:512] = b"\x55\xaa"
    head[512:520] = b"EFI PART"
    struct.pack_into("<Q", head, 512 + 72, 130)
    return bytes(head)


# Packages


def described(
    *, attributes: str = "", sections: str = "", items: str = "", capacity: str = "1", more: str = ""
) -> bytes:
    """A descriptor of one guest with one disk."""
    hardware = item(1, 3, VirtualQuantity=1) + item(2, 4, VirtualQuantity=128, AllocationUnits="byte * 2^20")
    drive = item(3, 17, HostResource="ovf:/disk/d")
    disk = f'<Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="{capacity}" ovf:capacityAllocationUnits="byte * 2^20"/>'
    return (
        f'<Envelope {HEAD} {attributes}><References><File ovf:id="f" ovf:href="disk"/></References><DiskSection>'
        f'<Info>d</Info>{disk}</DiskSection>{sections}<VirtualSystem ovf:id="s"><Info>i</Info>{more}'
        f"<VirtualHardwareSection><Info>h</Info>{hardware}{drive}{items}</VirtualHardwareSection></VirtualSystem>"
        "</Envelope>"
    ).encode()


def property_with(qualifiers: str, value: str = "1") -> bytes:
    quoted = qualifiers.replace('"', "&quot;")
    one = f'<Property ovf:key="k" ovf:qualifiers="{quoted}" ovf:value="{value}"/>'
    return described(more=f"<ProductSection><Info>p</Info>{one}</ProductSection>")


def pax(records: int, headers: int) -> bytes:
    """Extended headers, one behind the other, each with so many records, and no file."""
    content = b"".join(b"%d a%d=b\n" % (len(b"00 a%d=b\n" % one), one % 10) for one in range(records))
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(content)
    padded = content.ljust(-(-len(content) // 512) * 512, b"\0")
    return (info.tobuf(tarfile.USTAR_FORMAT) + padded) * headers


def directories(number: int) -> bytes:
    info = tarfile.TarInfo("d")
    info.type = tarfile.DIRTYPE
    return info.tobuf(tarfile.USTAR_FORMAT) * number


@cache
def certificate() -> bytes:
    """A certificate that its owner signed, as PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hostile")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def certificate_of_lines(number: int = 60_000) -> bytes:
    return b"\n" * number + certificate()


def certificate_of_beginnings(number: int = 2300) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" * number


def manifest_of_brackets(number: int = 10**6) -> bytes:
    return b"SHA256(" + b")" * number + b"=\n"


def package(
    descriptor: bytes | None = None, manifest: bytes = b"", certificate: bytes = b"", disk: bytes = b""
) -> bytes:
    """An archive of these parts, in the order of the standard."""
    files = [("p.ovf", descriptor or described())]
    files += [("p.mf", manifest)] if manifest else []
    files += [("p.cert", certificate)] if certificate else []
    return ova(*files, ("disk", disk or raw()))


IMAGES: dict[str, bytes] = {
    "vmdk of blanks": vmdk_of_blanks(),
    "vmdk full of blanks": vmdk_of_blanks(10_000),
    "vmdk of lines": vmdk_of_lines(),
    "vmdk of grains": vmdk_of_grains(),
    "qcow2 of small clusters": qcow2(),
    "qcow2 of packed clusters": qcow2(21, bomb=True),
    "vdi": vdi(),
    "vhd": vhd(),
    "vhdx": vhdx(),
    "raw": raw(),
}
"""By what is hostile in them."""

PACKAGES: dict[str, bytes] = {
    "tar of extended headers": package()[:-1024] + pax(8000, 40),
    "tar of small extended headers": pax(3, 3900),
    "tar of directories": directories(3900),
    "ovf of elements": package(described(sections="<a/>" * 99_000)),
    "ovf of optional elements": package(described(sections='<a ovf:required="false"/>' * 99_000)),
    "ovf of attributes": package(described(attributes=" ".join(f'a{one}=""' for one in range(700_000)))),
    "ovf of items": package(described(items=item(4, 5) * 20_000)),
    "ovf of a long text": package(
        described(more=f"<AnnotationSection><Annotation>{'a ' * 4_000_000}</Annotation></AnnotationSection>")
    ),
    "ovf of places": package(described(capacity="${" * 30_000)),
    "qualifiers of letters": package(property_with("a" * 60_000)),
    "qualifiers of quotes": package(property_with('ValueMap{"' + '\\"' * 7000)),
    "mf of brackets": package(manifest=manifest_of_brackets()),
    "mf of lines": package(manifest=b"\n" * 10**6),
    "cert of lines": package(certificate=certificate_of_lines()),
    "cert of beginnings": package(certificate=certificate_of_beginnings()),
}
