"""The user's pip settings as uv understands them, and what uv's errors mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadworthy.errors import EnvironmentFailed
from roadworthy.runtime.indexes import IndexSettings, read_index_settings
from roadworthy.runtime.uv import meaning


def settings(tmp_path: Path, **environ: str) -> IndexSettings:
    nowhere = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path),
        "PIP_CONFIG_FILE": "/dev/null",
    }
    return read_index_settings({**nowhere, **environ})


def test_without_settings_nothing_is_passed_on(tmp_path: Path) -> None:
    assert settings(tmp_path) == IndexSettings()
    assert settings(tmp_path).environment({}) == {}


def test_pip_s_variables_become_uv_s(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        PIP_INDEX_URL="https://me:secret@index.example/simple",
        PIP_EXTRA_INDEX_URL="https://one.example https://two.example",
        PIP_FIND_LINKS=str(tmp_path),
        PIP_TRUSTED_HOST="index.example",
        PIP_NO_INDEX="1",
        PIP_CERT="/etc/cert.pem",
    )
    assert found.no_index
    assert found.environment({}) == {
        "UV_DEFAULT_INDEX": "https://me:secret@index.example/simple",
        "UV_INDEX": "https://one.example https://two.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": str(tmp_path),
        "UV_INSECURE_HOST": "index.example",
        "SSL_CERT_FILE": "/etc/cert.pem",
    }


def test_what_the_user_told_uv_itself_stays(tmp_path: Path) -> None:
    found = settings(tmp_path, PIP_INDEX_URL="https://pip.example")
    assert found.environment({"UV_DEFAULT_INDEX": "https://uv.example"}) == {}


def test_files_are_read_in_pip_s_order_and_variables_last(tmp_path: Path) -> None:
    home, site = tmp_path / "home", tmp_path / "site"
    for folder, text in (
        (home / ".config" / "pip", "[global]\nindex-url = https://user.example\nno_index = yes\n"),
        (
            site,
            "[global]\nextra-index-url =\n  https://a.example\n  https://b.example\n"
            "[install]\nindex-url = https://site.example\n",
        ),
    ):
        folder.mkdir(parents=True)
        (folder / "pip.conf").write_text(text)
    environ = {"HOME": str(home), "XDG_CONFIG_DIRS": str(tmp_path)}
    assert read_index_settings(environ).index_url == "https://user.example"
    found = read_index_settings(environ, prefix=site)
    assert found.index_url == "https://site.example"
    assert found.extra_index_urls == ("https://a.example", "https://b.example")
    assert found.no_index
    by_variable = read_index_settings({**environ, "PIP_INDEX_URL": "https://env.example"}, site)
    assert by_variable.index_url == "https://env.example"


def test_a_file_that_is_not_pip_s_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "pip.conf"
    broken.write_text("index-url = x\n")
    with pytest.raises(EnvironmentFailed, match=r"pip\.conf can't be read"):
        settings(tmp_path, PIP_CONFIG_FILE=str(broken))


@pytest.mark.parametrize(
    ("said", "message", "package", "part"),
    [
        (
            "cause: Because nonesuch was not found in the package registry and you require",
            "nonesuch==1.0 is on no package index",
            "nonesuch",
            "package",
        ),
        (
            "cause: Because there is no version of nonesuch==1.0 and you require nonesuch==1.0",
            "nonesuch==1.0 is on no package index that is configured in that version",
            "nonesuch",
            "package",
        ),
        (
            "error: Failed to download `nonesuch==1.0`\n cause: Hash mismatch for `nonesuch==1.0`",
            "nonesuch==1.0 is not what was locked",
            "nonesuch",
            "package",
        ),
        ("error: Failed to build `nonesuch==1.0`", "can't be built here", "nonesuch", "package"),
        (
            "cause: Because nonesuch==1.0 has no wheels with a matching Python ABI tag",
            "no build for this Python and platform",
            "nonesuch",
            "package",
        ),
        (
            "error: Request failed\n cause: Failed to fetch: http://index.example/simple/nonesuch/",
            "no package index answers",
            "nonesuch",
            "index",
        ),
        ("error: No space left on device", "no space left for a package", None, "disk"),
        ("error: No interpreter found for Python 3.1", "no such Python", None, "python"),
        ("error: something else", "doing it failed: error: something else", None, "unknown"),
        ("", "uv gave no reason", None, "unknown"),
    ],
)
def test_uv_s_errors_are_translated(
    said: str, message: str, package: str | None, part: str
) -> None:
    found = meaning(said, "doing it", {"nonesuch": "1.0"})
    assert message in str(found)
    assert found.cure
    assert found.details["package"] == package
    assert found.details["part"] == part


def test_credentials_are_in_no_error() -> None:
    found = meaning("error: x https://me:secret@index.example/simple/", "doing it", {})
    assert "secret" not in str(found)
    assert "secret" not in str(found.problem())
