"""The configuration says what is wrong, and where."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.config import ConfigError, load
from tests.unit.configurations import HYPERVISOR, POOLS, POOLS_ONLY, configured


def test_defaults_need_only_a_hypervisor(tmp_path: Path) -> None:
    settings = load(configured(tmp_path, ""))
    assert settings.server.listen == "127.0.0.1:8080"
    assert settings.hypervisors[0].domain_type == "auto"


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(configured(tmp_path, '[store]\npath = "a.db"\n[images]\ndirectories = ["i"]'))
    assert settings.store.path == str(tmp_path.resolve() / "a.db")
    assert settings.images.directories == [str(tmp_path.resolve() / "i")]


def test_the_staging_directory_stands_beside_the_store_unless_it_is_named(tmp_path: Path) -> None:
    assert load(configured(tmp_path, '[store]\npath = "s/a.db"')).images.staging == str(tmp_path / "s" / "staging")
    assert load(configured(tmp_path, '[images]\nstaging = "t"')).images.staging == str(tmp_path / "t")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nonsense", "is not TOML"),
        ("[sever]", "[sever]"),
        ("[server]\nport = 1", "[server] port"),
        ("[server]\nlisten = 8080", "[server] listen"),
        ('[server]\nlisten = "localhost"', "[server] listen"),
        ('[server]\nlisten = "127.0.0.1:99999"', "[server] listen"),
        ('[server]\ntls_key = "k"', "tls_certificate"),
        ('[server]\nbase_url = "ftp://x"', "base_url"),
        ('[server]\nlisten = "0.0.0.0:8080"', "allow_insecure_basic"),
        ('[server]\nbase_url = "https://"', "[server] base_url"),
        ('[server]\nbase_url = "https://h/x?y=z"', "[server] base_url"),
        ('[server]\ntrusted_proxies = ["10.0.0.0/8", "proxy"]', "[server] trusted_proxies: 'proxy'"),
        ('[server]\ntrusted_proxies = ["10.0.0.1/8"]', "[server] trusted_proxies: 10.0.0.1/8"),
        ('[server]\ntls_certificate = "c"\ntls_key = "k"', "[server] tls_certificate"),
        ("[server]\nmax_body = 10", "[server] max_body"),
        ("server = 5", "[server]"),
        ("[auth]\npublic_entry_point = 1", "[auth] public_entry_point"),
        ('hypervisor = ["x"]', "[[hypervisor]]"),
        ("[monitoring]\nperiod = 0", "[monitoring] period"),
        ("[monitoring]\nperiod = 120", "[monitoring] default_interval"),
        ("[monitoring]\nkeep_raw_hours = 0", "[monitoring] keep_raw_hours"),
        ("[jobs]\nanswer_wait = nan", "[jobs] answer_wait"),
        ("[jobs]\nstop_deadline = inf", "[jobs] stop_deadline"),
        ("[jobs]\nworkers = 1\nworkers = 2", "is not TOML"),
        ('[images]\ndirectories = "x"', "[images] directories"),
        ("[images]\nlargest = 1", "[images] largest"),
        ("[quotas]\nmachine = 1", "[quotas] machine: unknown key; known are addresses, "),
        ("[quotas]\nmachines = -1", "[quotas] machines"),
        ("[user_quotas]\njobs_at_once = 1", "[user_quotas] jobs_at_once: unknown key"),
        ('[quotas]\nmachines = "many"', "[quotas] machines"),
        (HYPERVISOR + "memory_overcommit = -1", "memory_overcommit"),
        ("[audit]\nkeep_days = 0", "[audit] keep_days"),
        ("[images]\nlargest_file = 1", "[images] largest_file"),
        ("[images]\nstall_seconds = 0", "[images] stall_seconds"),
        ("[images]\nupload_minutes = 0", "[images] upload_minutes"),
        ("[images]\nwaiting_uploads = 0", "[images] waiting_uploads"),
        ('[images]\nurl_schemes = ["ftp"]', "[images] url_schemes"),
        ('[images]\nprivate_networks = ["10.0.0.1/8"]', "[images] private_networks"),
        ("[jobs]\nworkers = true", "[jobs] workers"),
        ("[jobs]\nworkers = 0", "[jobs] workers"),
        ('[jobs]\nanswer_wait = "x"', "[jobs] answer_wait"),
        ('[[hypervisor]]\nname = "a"', "[[hypervisor]] uri"),
        (HYPERVISOR + 'domain_type = "xen"', "domain_type"),
        (HYPERVISOR + "colour = 1", "colour"),
        (HYPERVISOR + HYPERVISOR, "same name"),
        (POOLS + "name = ''", "[[hypervisor.pools]] name"),
        (POOLS + 'name = "a"\ncolour = 1', "[[hypervisor.pools]] colour"),
        (POOLS + 'name = "a"\nkind = "zfs"', "[[hypervisor.pools]] kind"),
        (POOLS + 'name = "a"\nkind = "dir"', "[[hypervisor.pools]] path"),
        (POOLS + 'name = "a"\nkind = "netfs"\npath = "/a"', "[[hypervisor.pools]] host"),
        (POOLS + 'name = "a"\nkind = "rbd"\nhost = "m"\nsource = "p"\nuser = "u"', "user and secret"),
        (POOLS + 'name = "a"\nformats = ["vmdk"]', "[[hypervisor.pools]] formats"),
        (POOLS + 'name = "a"\nkind = "logical"\nsource = "v"\nformats = ["qcow2"]', "raw volumes only"),
        (POOLS + 'name = "a"\nshareable = true', "[[hypervisor.pools]] shareable"),
        (POOLS + 'name = "a"\novercommit = 0', "[[hypervisor.pools]] overcommit"),
        (POOLS + 'name = "a"\ntypes = ["fast"]', "[[hypervisor.pools]] types"),
        (POOLS + 'name = "a"\ntypes = []', "[[hypervisor.pools]] types"),
        (POOLS + 'name = "a"\n' + POOLS_ONLY + 'name = "a"', "same name"),
    ],
)
def test_mistakes_are_named_with_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    path = configured(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert named in caught.value.message


def test_quotas_are_those_that_are_named(tmp_path: Path) -> None:
    assert load(configured(tmp_path, "[quotas]\nmachines = 3\nvolume_bytes = 0")).quotas == {
        "machines": 3,
        "volume_bytes": 0,
    }
    assert load(configured(tmp_path, "")).quotas == {}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


def test_at_least_one_hypervisor_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("")
    with pytest.raises(ConfigError, match="hypervisor"):
        load(path)


def test_the_shipped_example_is_valid(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "etc"
    shutil.copy(shipped / "catalog.toml", tmp_path)
    assert load(configured(tmp_path, (shipped / "gateway.toml").read_text())).server.base_url == ""


def test_files_that_are_there_may_be_named(tmp_path: Path) -> None:
    for name in ("c", "k"):
        (tmp_path / name).touch()
    settings = load(configured(tmp_path, '[server]\nlisten = "[::]:443"\ntls_certificate = "c"\ntls_key = "k"'))
    assert settings.server.tls_key == str(tmp_path.resolve() / "k")
    assert (settings.server.host, settings.server.port, settings.server.loopback) == ("::", 443, False)


def test_pools_are_described_below_their_hypervisor(tmp_path: Path) -> None:
    text = POOLS + 'name = "fast"\ntypes = ["http://x.org/fast"]\nformats = ["raw"]\nshareable = true\novercommit = 2'
    hypervisor = load(configured(tmp_path, text)).hypervisors[0]
    default, fast = hypervisor.every_pool
    assert (default.name, default.types, default.overcommit) == ("p", ["mapped"], 1.0)
    assert (fast.name, fast.types, fast.shareable, fast.overcommit) == ("fast", ["http://x.org/fast"], True, 2)


def test_the_default_pool_may_be_described_itself(tmp_path: Path) -> None:
    hypervisor = load(configured(tmp_path, POOLS + 'name = "p"\nformats = ["raw", "qcow2"]')).hypervisors[0]
    assert [(pool.name, pool.formats) for pool in hypervisor.every_pool] == [("p", ["raw", "qcow2"])]
