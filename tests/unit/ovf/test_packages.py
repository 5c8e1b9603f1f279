"""Archives are read front to back: what is hostile, lies or is missing is refused, the rest arrives whole."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import AsyncGenerator
from typing import Literal

import pytest

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.package import Opener, Package, gather, unpack
from gateway.ovf.reading import read_envelope
from tests.unit.ovf.samples import VMWARE, Kept, envelope, in_pieces, manifest, ova, system

LARGEST = 10_000_000
WEB = ("web.ovf", VMWARE.encode())
DISK = ("web-disk1.vmdk", b"disk1")
TOOLS = ("tools.iso", b"iso1")
ALL = (WEB, DISK, TOOLS)


async def opened(content: bytes, piece: int = 1000) -> tuple[Package, Kept]:
    kept = Kept()
    return await unpack(in_pieces(content, piece), kept, LARGEST), kept


async def refused(content: bytes) -> str:
    with pytest.raises(PackageInvalid) as caught:
        await opened(content)
    return caught.value.message


@pytest.mark.parametrize("piece", [1, 511, 4096, 10**6])
async def test_files_arrive_whole_however_the_bytes_come(piece: int) -> None:
    package, kept = await opened(ova(*ALL), piece)
    assert kept.files == {"web-disk1.vmdk": b"disk1", "tools.iso": b"iso1"}
    assert not package.verified


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
@pytest.mark.parametrize("form", ["{0}({1})= {2}\n", "{0} ({1}) = {2}\r\n"])
async def test_a_manifest_is_verified_in_both_spellings(algorithm: str, form: str) -> None:
    sums = manifest(*ALL, algorithm=algorithm, form=form)
    package, _kept = await opened(ova(WEB, ("web.mf", sums), DISK, TOOLS))
    assert package.verified


async def test_a_manifest_at_the_end_is_verified_too() -> None:
    package, _kept = await opened(ova(*ALL, ("web.mf", manifest(*ALL))))
    assert package.verified


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("changed", [("web-disk1.vmdk", b"disk2"), ("web.ovf", VMWARE.replace("16", "17").encode())])
async def test_a_manifest_that_lies_is_refused(last: bool, changed: tuple[str, bytes]) -> None:
    files = [changed if file[0] == changed[0] else file for file in ALL]
    sums = ("web.mf", manifest(*ALL))
    order = [*files, sums] if last else [files[0], sums, *files[1:]]
    assert f"'{changed[0]}' has another SHA256" in await refused(ova(*order))


async def test_a_manifest_that_leaves_a_file_out_is_refused() -> None:
    assert "does not say the sum of 'tools.iso'" in await refused(
        ova(WEB, ("web.mf", manifest(WEB, DISK)), DISK, TOOLS)
    )


async def test_a_manifest_of_more_than_there_is_is_refused() -> None:
    sums = manifest(*ALL, ("more.vmdk", b""))
    assert "'more.vmdk', which is not in the package" in await refused(ova(WEB, ("web.mf", sums), DISK, TOOLS))


@pytest.mark.parametrize("sums", [b"nonsense\n", b"SHA256(web.ovf)= 12\n", b"MD5(web.ovf)= 12\n", b"\xff\xfe\n"])
async def test_a_manifest_that_is_none_is_refused(sums: bytes) -> None:
    assert "of the manifest" in await refused(ova(WEB, ("web.mf", sums), DISK, TOOLS))


@pytest.mark.parametrize("content", [b"disk", b"disk12"])
async def test_a_disk_whose_size_lies_is_refused(content: bytes) -> None:
    assert "web-disk1.vmdk" in await refused(ova(WEB, ("web-disk1.vmdk", content), TOOLS))


async def test_a_file_that_no_reference_names_is_refused() -> None:
    assert "'more.vmdk', which References do not name" in await refused(ova(WEB, DISK, ("more.vmdk", b"x"), TOOLS))


async def test_a_file_that_is_missing_is_refused() -> None:
    assert "no 'tools.iso'" in await refused(ova(WEB, DISK))


async def test_the_descriptor_comes_first() -> None:
    assert "first file of the archive" in await refused(ova(DISK, WEB, TOOLS))


async def test_two_files_of_one_name_are_refused() -> None:
    assert "two files 'web-disk1.vmdk'" in await refused(ova(WEB, DISK, DISK, TOOLS))


def with_header(info: tarfile.TarInfo, form: Literal[0, 1, 2] = tarfile.GNU_FORMAT) -> bytes:
    """A package whose second file begins with this header."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        first = tarfile.TarInfo("web.ovf")
        first.size = len(WEB[1])
        archive.addfile(first, io.BytesIO(WEB[1]))
        end = output.tell()
    return output.getvalue()[:end] + info.tobuf(form) + bytes(1024)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"Z", "of an unknown kind"),
    ],
)
async def test_what_is_no_plain_file_is_refused(kind: bytes, said: str) -> None:
    info = tarfile.TarInfo("web-disk1.vmdk")
    info.type, info.linkname = kind, "/etc/passwd"
    assert said in await refused(with_header(info))


@pytest.mark.parametrize("name", ["../web-disk1.vmdk", "/etc/passwd", "a/../../b", "a\\..\\b"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE])
async def test_a_name_that_leads_out_is_refused(name: str, kind: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.type = kind
    assert "leads out of the package" in await refused(with_header(info))


async def test_a_name_that_leads_out_by_an_extended_header_is_refused() -> None:
    info = tarfile.TarInfo("x" * 150 + "/../../../etc/passwd")
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert "leads out of the package" in await refused(with_header(info, form))


async def test_sparse_files_in_extended_headers_are_refused() -> None:
    info = tarfile.TarInfo("web-disk1.vmdk")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": "99999999"}
    assert "sparse" in await refused(with_header(info, tarfile.PAX_FORMAT))


async def test_an_extended_header_without_end_is_refused() -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 10**9
    assert "absurd length" in await refused(with_header(info))


async def test_an_archive_that_is_cut_off_is_refused() -> None:
    whole = ova(*ALL)
    assert "cut off" in await refused(whole[: whole.index(b"disk1") + 3])


@pytest.mark.parametrize("content", [b"", b"x" * 2000, bytes(4096), b"\x1f\x8b" + b"y" * 600])
async def test_what_is_no_archive_is_refused(content: bytes) -> None:
    assert "archive" in await refused(content)


async def test_directories_inside_of_the_package_mean_nothing() -> None:
    info = tarfile.TarInfo("./")
    info.type = tarfile.DIRTYPE
    assert "no 'web-disk1.vmdk'" in await refused(with_header(info))


# Files that are packed or cut


def referring(reference: str) -> tuple[str, bytes]:
    return "p.ovf", envelope(system("v"), references=reference)


async def test_a_gzip_file_is_unpacked() -> None:
    packed = gzip.compress(b"hello" * 1000)
    first = referring(f'<File ovf:id="f" ovf:href="f.gz" ovf:compression="gzip" ovf:size="{len(packed)}"/>')
    _package, kept = await opened(ova(first, ("f.gz", packed)), 7)
    assert kept.files == {"f.gz": b"hello" * 1000}


async def test_a_gzip_file_of_several_members_is_unpacked_whole() -> None:
    packed = gzip.compress(b"hello" * 1000) + gzip.compress(b"world" * 1000)
    first = referring('<File ovf:id="f" ovf:href="f.gz" ovf:compression="gzip"/>')
    _package, kept = await opened(ova(first, ("f.gz", packed)), 7)
    assert kept.files == {"f.gz": b"hello" * 1000 + b"world" * 1000}


async def test_what_is_behind_a_gzip_file_is_refused() -> None:
    first = referring('<File ovf:id="f" ovf:href="f.gz" ovf:compression="gzip"/>')
    assert "is no gzip file" in await refused(ova(first, ("f.gz", gzip.compress(b"hello") + bytes(5000))))


async def test_it_is_told_where_a_file_stands_in_the_archive() -> None:
    first = referring('<File ovf:id="f" ovf:href="f"/><File ovf:id="g" ovf:href="g"/>')
    archive = ova(first, ("f", b"x" * 700), ("g", b"hello"))
    _package, kept = await opened(archive)
    files = (("f", b"x" * 700), ("g", b"hello"))
    assert kept.stands == {name: (archive.index(content), len(content)) for name, content in files}


async def test_what_does_not_stand_there_as_it_is_has_no_place() -> None:
    packed = gzip.compress(b"hello")
    first = referring('<File ovf:id="f" ovf:href="f.gz" ovf:compression="gzip"/>')
    _package, kept = await opened(ova(first, ("f.gz", packed)))
    _chunked, others = await opened(ova(CHUNKED, *CHUNKS))
    assert (kept.stands, others.stands) == ({"f.gz": None}, {"f": None})


async def test_a_gzip_bomb_is_refused() -> None:
    packed = gzip.compress(bytes(LARGEST + 1))
    first = referring('<File ovf:id="f" ovf:href="f.gz" ovf:compression="gzip"/>')
    assert "when it is unpacked" in await refused(ova(first, ("f.gz", packed)))


@pytest.mark.parametrize(
    "packed", [b"no gzip at all", gzip.compress(b"hello" * 100, mtime=0)[:-9]], ids=["no gzip", "cut off"]
)
async def test_a_broken_gzip_file_is_refused(packed: bytes) -> None:
    first = referring('<File ovf:id="f" ovf:href="f.gz" ovf:compression="gzip"/>')
    assert "'f.gz'" in await refused(ova(first, ("f.gz", packed)))


CHUNKED = referring('<File ovf:id="f" ovf:href="f" ovf:size="7" ovf:chunkSize="3"/>')
CHUNKS = (("f.000000000", b"abc"), ("f.000000001", b"def"), ("f.000000002", b"g"))


async def test_chunks_come_together() -> None:
    sums = ("p.mf", manifest(CHUNKED, *CHUNKS))
    _package, kept = await opened(ova(CHUNKED, sums, *CHUNKS))
    assert kept.files == {"f": b"abcdefg"}


async def test_chunks_in_disorder_are_refused() -> None:
    assert "not at this place" in await refused(ova(CHUNKED, CHUNKS[1], CHUNKS[0], CHUNKS[2]))


async def test_a_missing_chunk_is_refused() -> None:
    assert "'f' has 6 bytes where the descriptor says 7" in await refused(ova(CHUNKED, *CHUNKS[:2]))


async def test_a_file_larger_than_accepted_is_refused_before_all_of_it_came() -> None:
    first = referring('<File ovf:id="f" ovf:href="f"/>')
    taken = 0

    async def counted() -> AsyncGenerator[bytes, None]:
        nonlocal taken
        async for piece in in_pieces(ova(first, ("f", bytes(2000_000)))):
            taken += len(piece)
            yield piece

    with pytest.raises(PackageInvalid, match="more than 100000 bytes"):
        await unpack(counted(), Kept(), 100_000)
    assert taken < 1_300_000


# A descriptor with its files beside it


def beside(files: dict[str, bytes]) -> Opener:
    async def open_file(name: str) -> AsyncGenerator[bytes, None] | None:
        found = files.get(name)
        return None if found is None else in_pieces(found)

    return open_file


async def test_a_descriptor_is_read_with_the_files_beside_it() -> None:
    kept = Kept()
    files = dict([*ALL, ("web.mf", manifest(*ALL))])
    package = await gather("web.ovf", beside(files), kept, LARGEST)
    assert package.verified
    assert kept.files == {"web-disk1.vmdk": b"disk1", "tools.iso": b"iso1"}


async def test_chunks_beside_a_descriptor_come_together() -> None:
    kept = Kept()
    await gather("p.ovf", beside(dict([CHUNKED, *CHUNKS])), kept, LARGEST)
    assert kept.files == {"f": b"abcdefg"}


async def test_a_file_that_is_not_beside_its_descriptor_is_refused() -> None:
    with pytest.raises(PackageInvalid, match=r"no 'tools\.iso'"):
        await gather("web.ovf", beside(dict([WEB, DISK])), Kept(), LARGEST)


@pytest.mark.parametrize(
    ("href", "member"),
    [
        ("my%20disk.vmdk", "my disk.vmdk"),
        ("my%20disk.vmdk", "my%20disk.vmdk"),
        ("./disk.vmdk", "disk.vmdk"),
        ("./disk.vmdk", "./disk.vmdk"),
        ("a/%C3%A4.vmdk", "a/ä.vmdk"),
    ],
)
async def test_a_reference_is_a_uri_that_names_the_file(href: str, member: str) -> None:
    descriptor = envelope(system("v"), references=f'<File ovf:id="f1" ovf:href="{href}"/>')
    _package, kept = await opened(ova(("v.ovf", descriptor), (member, b"bytes")))
    assert list(kept.files.values()) == [b"bytes"]


@pytest.mark.parametrize("href", ["%2e%2e%2fetc", "%2Fetc%2Fpasswd", "a%00b", "http%3A//host/disk", "%5C%5Chost"])
def test_a_reference_that_leads_out_when_it_is_decoded_is_refused(href: str) -> None:
    descriptor = envelope(system("v"), references=f'<File ovf:id="f1" ovf:href="{href}"/>')
    with pytest.raises(PackageInvalid, match="package"):
        read_envelope(descriptor)
