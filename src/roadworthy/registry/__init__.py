"""Runs, models, releases, certificates: recording them and finding them again.

In come core values and the bytes that belong to them; out come the same, by name or digest.
Blobs are written before the metadata that names them. Nothing here starts a process, decides
what runs, or knows of stages.
"""

from roadworthy.registry.drafts import ReleaseDraft, flow_directory, manifest_of
from roadworthy.registry.registry import ModelSummary, Registry, check_quarantine

__all__ = [
    "ModelSummary",
    "Registry",
    "ReleaseDraft",
    "check_quarantine",
    "flow_directory",
    "manifest_of",
]
