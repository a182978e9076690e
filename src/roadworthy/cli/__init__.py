"""The command line: parse, call, print. Each command's module is loaded when it is used.

In come words that a person typed; out go calls to the control plane and to capture, a short
answer for people or, with ``--json``, a complete one for programs. Nothing is decided here.

Exit codes: 0 done; 1 failed; 2 the call can't be carried out as it was put; 3 not found;
4 somebody else got there first; 5 not allowed by policy or rights; 6 the program failed;
7 the program can't be captured; 8 an environment or a worker failed; 9 something does not
answer now; 10 something stored is missing, damaged or can't be written; 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("system", "Start Roadworthy here: control plane, pages, gateway."),
    "down": ("system", "Stop what runs here."),
    "status": ("system", "What is deployed and what runs."),
    "deploy": ("deploying", "Capture a program, certify its release, and have it answer."),
    "capture": (
        "deploying",
        "Show, or write out, what production needs of a program.",
    ),
    "predict": ("predicting", "Ask a model, or one of its releases, for answers to rows."),
    "batch": (
        "batching",
        "Answer all rows of a file; run it again to go on where it was interrupted.",
    ),
    "releases": ("releases", "A model's releases; without a name, all models."),
    "show": ("releases", "A release: certificate, signature, capture report."),
    "diff": ("releases", "How two releases differ: source, signature, environment."),
    "notes": ("releases", "Show or replace a release's notes."),
    "verify": ("releases", "Repeat a release's checks."),
    "promote": ("changing", "Move a release to a stage."),
    "rollback": ("changing", "Go back to the release before, at once."),
    "quarantine": (
        "changing",
        "Keep a release from being deployed again, or lift that.",
    ),
    "why": ("asking", "Which release is live, since when, by whom, on what evidence."),
    "history": ("asking", "What was deployed when, and what was live at a moment."),
    "checkout": ("releases", "Write out the program that a release came from."),
    "data": ("data", "Versioned datasets: init, add, commit, log, diff, checkout, source, gc …"),
    "runs": ("asking", "Recorded runs of programs, failed ones too."),
    "logs": ("logs", "What a model was asked and answered, or what Roadworthy's processes wrote."),
    "doctor": ("system", "What is wrong here, and the cure."),
    "serve": ("system", "Run one part alone: control, agent, gateway or sources."),
}
"""Each command's module and what it does, in the order in which help lists them."""

EXIT_BY_CODE: dict[str, int] = {
    "error": 1,
    "usage": 2,
    "settings": 2,
    "invalid-name": 2,
    "invalid-rows": 2,
    "schema-broken": 2,
    "not-found": 3,
    "conflict": 4,
    "signature-conflict": 4,
    "policy": 5,
    "not-allowed": 5,
    "program-failed": 6,
    "capture": 7,
    "law-broken": 7,
    "verification": 7,
    "environment": 8,
    "worker-failed": 8,
    "unavailable": 9,
    "storage": 10,
    "damaged": 10,
    "erased": 10,
    "newer-format": 10,
}
INTERRUPTED = 130

USAGE = "roadworthy COMMAND [OPTIONS] [ARGUMENTS]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name (``sys.argv`` without them) and exit."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run a command; the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        if len(arguments) > 1 and arguments[1] in COMMANDS:
            return run([arguments[1], "--help"])
        print(help_text())
        return 0
    if arguments[0] in ("--version", "-V"):
        import roadworthy

        print(f"roadworthy {roadworthy.__version__}")
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        return _unknown(name)
    return _run_command(name, arguments[1:])


def help_text() -> str:
    """What ``roadworthy --help`` prints; needs no other module."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        [
            f"Usage: {USAGE}",
            "",
            "From the program where a model was created to certified, reversible production.",
            "",
            "Commands:",
            *lines,
            "",
            "roadworthy COMMAND --help says more. --json gives complete answers for programs,",
            "--dry-run says what would be changed.",
            "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 not allowed,",
            "6 program failed, 7 not captured, 8 environment or worker failed, 9 unavailable,",
            "10 storage, 130 interrupted.",
            "Begin with: roadworthy deploy train.py --input NAME --output NAME --name MODEL",
        ]
    )


def command(name: str) -> Any:
    """The command of that name as Typer's own object: for running it and for the reference."""
    import typer

    module = importlib.import_module(f"roadworthy.cli.{COMMANDS[name][0]}")
    if isinstance(getattr(module, name), typer.Typer):
        return typer.main.get_command(getattr(module, name))
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name, help=getattr(module, name).__doc__)(getattr(module, name))
    return typer.main.get_command(app)


def _run_command(name: str, arguments: list[str]) -> int:
    from roadworthy.errors import RoadworthyError

    wants_json = "--json" in _own(arguments)
    try:
        command(name)(args=arguments, prog_name=f"roadworthy {name}")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except RoadworthyError as error:
        from roadworthy.cli.output import print_error

        print_error(error, wants_json)
        return EXIT_BY_CODE.get(error.code, 1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return 0


def _own(arguments: list[str]) -> list[str]:
    """The arguments that are the command's, not the program's behind ``--``."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _unknown(name: str) -> int:
    import difflib

    close = difflib.get_close_matches(name, COMMANDS, n=1)
    cure = f"did you mean roadworthy {close[0]}?" if close else "roadworthy --help lists them"
    print(f"there is no command {name!r}\n  → {cure}", file=sys.stderr)
    return EXIT_BY_CODE["usage"]


def __getattr__(name: str) -> Any:
    """``app``: all commands as one Typer application, for the reference; loads every module."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
    for each, (module, _) in COMMANDS.items():
        value = getattr(importlib.import_module(f"roadworthy.cli.{module}"), each)
        if isinstance(value, typer.Typer):
            app.add_typer(value, name=each)
        else:
            app.command(each)(value)
    return app
