"""Writes docs/reference from docstrings and the command line; ``--check`` only compares."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

import roadworthy
from roadworthy import cli, errors, settings

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Written by `make reference`; change the docstrings instead. -->\n\n"


def main() -> int:
    """0 if docs/reference is as the sources say (or was written so), 1 if it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if out of date")
    only_check = parser.parse_args().check
    pages = {
        "README.md": index_page(),
        "command-line.md": command_page(),
        "python.md": python_page(),
        "settings.md": settings_page(),
        "errors.md": errors_page(),
    }
    stale = [name for name, text in pages.items() if current(name) != NOTE + text]
    if not only_check:
        TARGET.mkdir(parents=True, exist_ok=True)
        for name in stale:
            (TARGET / name).write_text(NOTE + pages[name], encoding="utf-8")
        return 0
    for name in stale:
        print(f"docs/reference/{name} is out of date: run `make reference`")
    return 1 if stale else 0


def current(name: str) -> str:
    """What stands in the page now; empty if there is none."""
    page = TARGET / name
    return page.read_text(encoding="utf-8") if page.exists() else ""


def index_page() -> str:
    """The list of the pages."""
    return (
        "# Reference\n\n"
        "- [Command line](command-line.md): every command with its arguments and options\n"
        "- [Python](python.md): the public names of `import roadworthy`\n"
        "- [Settings](settings.md): `roadworthy.toml`, environment variables, defaults\n"
        "- [Errors](errors.md): the stable code of each error\n"
    )


def command_page() -> str:
    """Every command, from the definitions that the program itself parses with."""
    parts = [f"# Command line\n\n{text_of(cli.__doc__)}\n"]
    for name, command in all_commands():
        context = command.make_context(name, [], resilient_parsing=True)
        usage = " ".join(["roadworthy", name, *command.collect_usage_pieces(context)])
        parts.append(f"## roadworthy {name}\n\n{text_of(command.help)}\n\n    {usage}\n")
        rows = [row for row in map(parameter_row, command.params) if row]
        if rows:
            parts.append("| | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def all_commands() -> Iterator[tuple[str, Any]]:
    """Every command with its words; those of a group after the group."""
    for name in cli.COMMANDS:
        yield from with_inner(name, cli.command(name))


def with_inner(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command and, of a group, those in it."""
    yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from with_inner(f"{name} {word}", inner)


def parameter_row(parameter: Any) -> str:
    """One line of the table of a command's parameters; empty for what is not shown."""
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return ""
    if parameter.param_type_name == "argument":
        name = (parameter.metavar or parameter.name).upper()
    else:
        name = ", ".join([*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    plain = isinstance(default, str | int | float | Path) and default not in ("", False)
    shown = f"`{default}`" if plain else "required" if parameter.required else ""
    meaning = " ".join((getattr(parameter, "help", "") or "").split()).replace("|", "\\|")
    return f"| `{name}` | {meaning} | {shown} |"


def python_page() -> str:
    """The public names, each with its signature and docstring."""
    parts = ["# Python\n\n    import roadworthy as rw\n"]
    for name in sorted(roadworthy.__all__):
        value = getattr(roadworthy, name)
        if name.startswith("__"):
            continue
        signature = "" if is_error(value) else str(inspect.signature(value))
        parts.append(f"## rw.{name}\n\n    {name}{signature}\n\n{text_of(value.__doc__)}\n")
        if not inspect.isclass(value) or is_error(value):
            continue
        for method, function in inspect.getmembers(value, inspect.isfunction):
            if not method.startswith("_"):
                line = f"{name}.{method}{inspect.signature(function)}"
                parts.append(f"### {name}.{method}\n\n    {line}\n\n{text_of(function.__doc__)}\n")
    return "\n".join(parts)


def settings_page() -> str:
    """Every setting with its environment variable and default."""
    rows = [
        f"| `{name}` | `{settings.PREFIX}{name.replace('.', '_').upper()}` | {default} |"
        for name, default in setting_defaults(settings.Settings)
        if name != "file"
    ]
    return (
        f"# Settings\n\n{text_of(settings.__doc__)}\n\n{text_of(settings.Settings.__doc__)}\n\n"
        + "".join(section_texts())
        + "| in `roadworthy.toml` | environment variable | default |\n|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def section_texts() -> Iterator[str]:
    """What each section of the settings is for."""
    for field in msgspec.structs.fields(settings.Settings):
        if isinstance(field.default, msgspec.Struct):
            yield f"`[{field.name}]`: {text_of(type(field.default).__doc__)}\n\n"


def setting_defaults(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each setting's dotted name with its default, as people read it."""
    for field in msgspec.structs.fields(kind):
        if isinstance(field.default, msgspec.Struct):
            yield from setting_defaults(type(field.default), f"{prefix}{field.name}.")
        elif field.name == "home":
            yield "home", "`.roadworthy` beside the nearest `roadworthy.toml`, else in your home"
        else:
            has_default = field.default is not msgspec.NODEFAULT and field.default not in ("", None)
            yield prefix + field.name, f"`{field.default}`" if has_default else ""


def errors_page() -> str:
    """Every error class with its code, in the order of their definition."""
    rows = [
        f"| `{kind.code}` | `{kind.__name__}` | {cli.EXIT_BY_CODE.get(kind.code, 1)} "
        f"| {text_of(kind.__doc__).splitlines()[0]} |"
        for kind in vars(errors).values()
        if is_error(kind)
    ]
    return (
        f"# Errors\n\n{text_of(errors.__doc__)}\n\n"
        "| code | class | exit code | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def is_error(value: Any) -> bool:
    """Whether it is one of Roadworthy's error classes."""
    return isinstance(value, type) and issubclass(value, errors.RoadworthyError)


def text_of(docstring: str | None) -> str:
    """A docstring as Markdown: literals with one backtick, examples as code blocks."""
    lines: list[str] = []
    example = False
    for line in (
        inspect.cleandoc(docstring or "").replace("``", "`").replace("\b\n", "").splitlines()
    ):
        example = line.startswith(">>> ") or (example and bool(line))
        lines.append(f"    {line}" if example else line)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
