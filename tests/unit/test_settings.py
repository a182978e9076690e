"""Settings: where they come from, which one wins, how a wrong one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadworthy.errors import SettingsError
from roadworthy.settings import load_settings
from roadworthy.wiring import child_environment


def write(folder: Path, text: str) -> Path:
    file = folder / "roadworthy.toml"
    file.write_text(text)
    return file


def test_without_anything_home_is_the_users(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"HOME": "/home/ada", "PATH": "/bin"})
    assert settings.home == Path("/home/ada/.roadworthy")
    assert settings.metadata_url == "sqlite:////home/ada/.roadworthy/roadworthy.db"
    assert settings.blobs_url == "/home/ada/.roadworthy/blobs"
    assert settings.control_address == "http://127.0.0.1:8400"
    assert settings.gateway_address == "http://127.0.0.1:8401"
    assert settings.releases == Path("/home/ada/.roadworthy/releases")
    assert settings.routing_file == Path("/home/ada/.roadworthy/agent/routing.json")
    assert settings.file is None


def test_the_nearest_file_upwards_is_read_and_home_is_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "[control]\nport = 1\n")
    nearer = tmp_path / "project"
    deep = nearer / "a" / "b"
    deep.mkdir(parents=True)
    file = write(nearer, 'blobs = "store"\n[control]\nport = 9000\n[log]\nflush_seconds = 1\n')
    settings = load_settings(deep, {"HOME": "/h"})
    assert settings.file == file
    assert settings.home == nearer / ".roadworthy"
    assert settings.control.port == 9000
    assert settings.log.flush_seconds == 1.0
    assert settings.blobs_url == str(nearer / "store")


def test_a_flag_beats_the_environment_beats_the_file(tmp_path: Path) -> None:
    write(tmp_path, '[control]\nport = 1\nhost = "localhost"\n[gateway]\nport = 2\n')
    environ = {"ROADWORTHY_CONTROL_PORT": "3", "ROADWORTHY_GATEWAY_PORT": "4"}
    settings = load_settings(tmp_path, environ, {"gateway.port": 5, "home": None})
    assert (settings.control.host, settings.control.port) == ("localhost", 3)
    assert settings.gateway.port == 5


@pytest.mark.parametrize(
    ("toml", "environ", "flags", "expected"),
    [
        ('home = "data"', {}, {}, "project/data"),
        ('home = "data"', {"ROADWORTHY_HOME": "mine"}, {}, "project/sub/mine"),
        ('home = "data"', {"ROADWORTHY_HOME": "mine"}, {"home": Path("/x")}, "/x"),
    ],
)
def test_home_is_relative_to_who_named_it(
    tmp_path: Path, toml: str, environ: dict[str, str], flags: dict[str, object], expected: str
) -> None:
    below = tmp_path / "project" / "sub"
    below.mkdir(parents=True)
    write(below.parent, toml)
    assert load_settings(below, environ, flags).home == tmp_path / expected


@pytest.mark.parametrize(
    ("toml", "environ", "flags", "thing", "cure"),
    [
        ("[control]\nprot = 1", {}, {}, "roadworthy.toml", "'control.port'"),
        ("hoem = 'x'", {}, {}, "'hoem' in", "'home'"),
        ("zzz = 1", {}, {}, "'zzz' in", "known are: "),
        ("", {"ROADWORTHY_GATEWAY_HSOT": "x"}, {}, "the environment", "'ROADWORTHY_GATEWAY_HOST'"),
        ("", {}, {"gateway.prt": 1}, "--gateway-prt", "'gateway.port'"),
        ("[control]\nport = 70000", {}, {}, "`control.port` in", "correct"),
        ("[control]\nport = 'x'", {}, {}, "expected `int`", "correct"),
        ("control = 3", {}, {}, "'control' in", "set control.host"),
        ("", {"ROADWORTHY_CONTROL_PORT": "many"}, {}, "ROADWORTHY_CONTROL_PORT: 'many'", "correct"),
        ("", {"ROADWORTHY_LOG_FLUSH_SECONDS": "0"}, {}, "more than 0", "correct"),
        ("", {"ROADWORTHY_LOG_FLUSH_SECONDS": "nan"}, {}, "more than 0", "correct"),
        ("", {}, {"control.host": ""}, "must name a host", "correct"),
        ("", {"ROADWORTHY_TOKEN": "short"}, {}, "16 characters", "correct"),
        ("home = 3", {}, {}, "must be a path", "correct"),
        ("home = ", {}, {}, "is not TOML", "correct"),
        ("", {}, {"control.host": "0.0.0.0"}, "no token is set", "set `token`"),
        ("[gateway]\nhost = 'box.example'", {}, {}, "gateway.host is box.example", "127.0.0.1"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(
    tmp_path: Path,
    toml: str,
    environ: dict[str, str],
    flags: dict[str, object],
    thing: str,
    cure: str,
) -> None:
    write(tmp_path, toml)
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path, environ, flags)
    assert thing in raised.value.message
    assert cure in raised.value.cure


def test_a_wrong_token_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path, {"ROADWORTHY_TOKEN": "hunter2"})
    assert "hunter2" not in str(raised.value)


def test_beyond_loopback_with_a_token(tmp_path: Path) -> None:
    token = "0123456789abcdef"
    settings = load_settings(tmp_path, {"ROADWORTHY_TOKEN": token}, {"control.host": "0.0.0.0"})
    assert settings.control.host == "0.0.0.0"
    assert token not in repr(settings)


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"HOME": "/h"})
    with pytest.raises(AttributeError):
        settings.home = Path("/other")  # type: ignore[misc]


def test_empty_variables_are_not_given(tmp_path: Path) -> None:
    assert (
        load_settings(tmp_path, {"HOME": "/h", "ROADWORTHY_CONTROL_PORT": ""}).control.port == 8400
    )


def test_a_service_takes_its_options(tmp_path: Path) -> None:
    write(tmp_path, 'blobs = "s3://bucket/x"\n[blob_options]\nendpoint = "http://127.0.0.1:1"\n')
    settings = load_settings(tmp_path, {})
    assert settings.blobs_url == "s3://bucket/x"
    assert settings.blob_options == {"endpoint": "http://127.0.0.1:1"}


def test_a_started_part_reads_the_same_blob_options(tmp_path: Path) -> None:
    write(tmp_path, '[blob_options]\nregion = "x"\n[workers]\nthreads = 3\n')
    given = load_settings(tmp_path, {"HOME": "/nowhere"})
    told = child_environment(given, {})
    read = load_settings(tmp_path / "elsewhere", told)
    assert (read.blob_options, read.workers) == ({"region": "x"}, given.workers)
    with pytest.raises(SettingsError, match="ROADWORTHY_BLOB_OPTIONS is not JSON") as caught:
        load_settings(tmp_path, {"ROADWORTHY_BLOB_OPTIONS": "secret"})
    assert "secret" not in str(caught.value)
    with pytest.raises(SettingsError, match="1 or more"):
        load_settings(tmp_path, {"ROADWORTHY_WORKERS_THREADS": "0"})


def test_lists_and_tables_come_from_the_file_and_as_json_from_the_environment(
    tmp_path: Path,
) -> None:
    write(tmp_path, '[log]\nredact = ["name"]\n[gateway.models]\nflight-delay = 8410\n')
    environ = {"ROADWORTHY_LOG_SAMPLES": '{"flight-delay": 0.1}'}
    settings = load_settings(tmp_path, environ)
    assert settings.log.redact == ["name"]
    assert settings.log.samples == {"flight-delay": 0.1}
    assert settings.gateway.models == {"flight-delay": 8410}
    passed_on = child_environment(settings, {})
    assert load_settings(tmp_path / "elsewhere", passed_on).gateway == settings.gateway
    assert load_settings(tmp_path / "elsewhere", passed_on).log == settings.log


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[gateway]\nprocesses = 0", "between 1 and 64"),
        ("[gateway.models]\na = 70000", "a port is between"),
        ("[gateway.models]\na = 1\nb = 1", "same port"),
        ("[log]\nsample = 1.5", "between 0 and 1"),
        ("[log.samples]\na = -1.0", "between 0 and 1"),
        ("[log]\nretention_days = -1.0", "0 or more"),
        ('[log]\nredact = "name"', "redact"),
    ],
)
def test_gateway_and_log_settings_that_can_not_be_are_refused(
    tmp_path: Path, toml: str, said: str
) -> None:
    write(tmp_path, toml)
    with pytest.raises(SettingsError, match=said):
        load_settings(tmp_path, {})
