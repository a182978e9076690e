"""What people who know a model say of it: what it is for, and how its values are called."""

from __future__ import annotations

from roadworthy.core.values import Document


class ModelCard(Document):
    """A model's card. ``generation`` grows with each change: compare-and-set on it.

    ``labels`` and ``units`` go by the name of a column or an output; what has none is called by
    its own name. ``changed`` is UTC, ISO 8601.
    """

    model: str
    generation: int = 0
    title: str = ""
    purpose: str = ""
    limits: str = ""
    contact: str = ""
    labels: dict[str, str] = {}
    units: dict[str, str] = {}
    changed: str = ""
    caller: str = ""

    def label(self, name: str) -> str:
        """How a column or output is called."""
        return self.labels.get(name) or name

    @property
    def written(self) -> bool:
        """Whether anybody wrote something about the model itself."""
        return bool(self.title or self.purpose or self.limits or self.contact)
