"""Requirements as text: reading, following, locking."""

from __future__ import annotations

import pytest
from packaging.markers import default_environment

from roadworthy.errors import EnvironmentFailed
from roadworthy.runtime.environments import Distribution, EnvironmentDescription, fit
from roadworthy.runtime.locks import lock_text, read_hashes
from roadworthy.runtime.pins import closure, make_lock_value, parse_requirements, pins

MARKERS = {**{key: str(value) for key, value in default_environment().items()}, "extra": ""}


def installed(**requires: list[str]) -> dict[str, Distribution]:
    return {
        name: Distribution(name=name, version="1.0", requires=tuple(needs), folder="/nowhere")
        for name, needs in requires.items()
    }


def followed(asked: list[str], there: dict[str, Distribution]) -> tuple[list[str], list[str]]:
    versions, missing = closure(parse_requirements(asked), there, MARKERS)
    return list(versions), missing


def test_all_that_is_needed_is_followed_once_and_sorted() -> None:
    there = installed(b=["a", "c>=1"], a=["b"], c=[], unneeded=[])
    assert followed(["b"], there) == (["a", "b", "c"], [])


def test_markers_and_extras_decide() -> None:
    there = installed(
        a=["b; python_version < '3'", "c; extra == 'fast'", "d; python_version >= '3'"],
        b=[],
        c=["a"],
        d=[],
    )
    assert followed(["a"], there)[0] == ["a", "d"]
    assert followed(["A[fast]"], there)[0] == ["a", "c", "d"]
    assert followed(["b; python_version < '3'"], there)[0] == []


def test_what_was_not_there_when_the_program_ran_is_told() -> None:
    assert followed(["a"], installed(a=["gone"])) == (["a"], ["gone"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("gone==1.0", "needs gone==1.0, which is not installed"),
        ("a==2.0", "needs a==2.0; the program's environment has 1.0"),
        ("a b c", "can't be read"),
    ],
)
def test_what_can_not_be_locked_is_named(asked: str, message: str) -> None:
    with pytest.raises(EnvironmentFailed, match=message):
        followed([asked], installed(a=[]))


def test_comments_and_options_are_no_requirements() -> None:
    lines = ["# x", "", "  ", "--index-url http://index.example", "a==1.0  # why", "b"]
    assert [str(one) for one in parse_requirements(lines)] == ["a==1.0", "b"]


def test_a_lock_is_written_the_same_every_time_and_read_back() -> None:
    hashes = {"b": ["f" * 64, "0" * 64]}
    text = lock_text({"b": "2.0", "a": "1.0+cpu"}, hashes, ["z"])
    assert text == (
        "# not installed: z\n# without hashes: a\na==1.0+cpu\n"
        f"b==2.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{'f' * 64}\n"
    )
    assert pins(text) == {"a": "1.0+cpu", "b": "2.0"}
    assert read_hashes(text) == {"b": ["0" * 64, "f" * 64]}


def test_a_lock_s_digest_is_over_python_and_text() -> None:
    lock = make_lock_value("3.11.7", "a==1\n")
    assert lock.digest == make_lock_value("3.11.7", "a==1\n").digest
    assert lock.digest != make_lock_value("3.11.8", "a==1\n").digest
    assert lock.digest != make_lock_value("3.11.7", "a==2\n").digest


def described(python: str = "3.11.7", **distributions: Distribution) -> EnvironmentDescription:
    return EnvironmentDescription(
        executable="/nowhere/python",
        python=python,
        implementation="cpython",
        platform="linux-x86_64",
        libc="",
        prefix="/nowhere",
        base="/nowhere/python",
        markers={},
        distributions=distributions,
    )


def test_an_environment_fits_only_with_exactly_the_locked_versions() -> None:
    there = installed(a=[], more=[])
    lock = make_lock_value("3.11.7", "a==1.0\n")
    assert fit(described(**there), lock).fits
    assert fit(described("3.11.9", **there), lock).fits
    assert "3.11.9, a patch" in str(fit(described("3.11.9", **there), lock))
    assert fit(described("3.12.1", **there), lock).reasons == (
        "Python is 3.12.1, locked is 3.11.7",
    )
    assert fit(described(), lock).reasons == ("a is not installed, locked is 1.0",)
    other = make_lock_value("3.11.7", "a==1.1\n")
    assert fit(described(**there), other).reasons == ("a is 1.0, locked is 1.1",)


def test_an_editable_package_never_fits() -> None:
    editable = Distribution(
        name="a", version="1.0", requires=(), folder="/x", origin="editable", source="/x"
    )
    found = fit(described(a=editable), make_lock_value("3.11.7", "a==1.0\n"))
    assert found.reasons == ("a is an editable install, whose files can change",)
