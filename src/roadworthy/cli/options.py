"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Stage = Annotated[str, typer.Option(help="staging or production.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.")]
ModelName = Annotated[str, typer.Argument(help="The model's name.")]
ReleaseArgument = Annotated[str, typer.Argument(help="A release: flight-delay@12.")]
