"""Names that people type: models, releases, stages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Literal

from roadworthy.core.values import Value
from roadworthy.errors import InvalidName

Stage = Literal["staging", "production"]
STAGES: tuple[Stage, ...] = ("staging", "production")

_MODEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class ReleaseName(Value):
    """A model, and the number of one of its releases where one is named.

    >>> str(parse_release("flight-delay@12"))
    'flight-delay@12'
    """

    model: str
    number: int | None = None

    def __str__(self) -> str:
        return self.model if self.number is None else f"{self.model}@{self.number}"


def check_model_name(name: str) -> str:
    """The name itself, if a model may be called so.

    Raises InvalidName otherwise: lower-case letters, digits and hyphens, 1 to 63 of them.

    >>> check_model_name("flight-delay")
    'flight-delay'
    """
    if _MODEL.fullmatch(name):
        return name
    cured = model_name_from(name)
    raise InvalidName(
        f"{name!r} can't be the name of a model: lower-case letters, digits and hyphens only, "
        "63 at most, a letter or digit at both ends",
        cure=f"call it {cured!r}" if cured else "choose another name",
    )


def model_name_from(text: str) -> str:
    """The name of a model nearest to a text, such as a file's name; empty where there is none.

    >>> model_name_from("Flight delay_2"), model_name_from("!")
    ('flight-delay-2', '')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")


def parse_release(text: str) -> ReleaseName:
    """What ``flight-delay`` or ``flight-delay@12`` names. Raises InvalidName."""
    model, at, number = text.partition("@")
    check_model_name(model)
    if not at:
        return ReleaseName(model=model)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise InvalidName(
            f"{text!r} does not name a release: {number!r} is not a number",
            cure=f"write {model}@1",
        )
    return ReleaseName(model=model, number=int(number))


def nearest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known words that look most like this one, best first.

    >>> nearest("fligths", ["flights", "planes", "airports"])
    ['flights']
    """
    return difflib.get_close_matches(word, list(known), n=most, cutoff=0.6)
