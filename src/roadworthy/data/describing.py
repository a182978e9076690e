"""A commit in the words of others: a Croissant description, OpenLineage events."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

from roadworthy.core.dataset import Committed, Entry, Field
from roadworthy.data.snapshot import Snapshot

_MOST = 1000
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = (
    ("int", "sc:Integer"),
    ("uint", "sc:Integer"),
    ("double", "sc:Float"),
    ("float", "sc:Float"),
    ("halffloat", "sc:Float"),
    ("decimal", "sc:Float"),
    ("bool", "sc:Boolean"),
    ("timestamp", "sc:DateTime"),
    ("date", "sc:Date"),
    ("time", "sc:Time"),
)
_PRODUCER = "roadworthy"
_RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_SCHEMA_FACET = "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json"
_VERSION_FACET = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json"


def croissant(snapshot: Snapshot) -> dict[str, Any]:
    """A commit as a Croissant 1.0 description: its files, and its tables with their columns.

    The first thousand paths are listed; a digest is given where the file's bytes are kept, as
    BLAKE3 under ``identifier``: Croissant's own field is for SHA-256, which is given for none.
    """
    commit = snapshot.committed.commit
    files: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for number, entry in enumerate(snapshot.entries()):
        if number == _MOST:
            break
        files.append(_file(snapshot, entry))
        if entry.kind == "table":
            fields = snapshot.table_of(entry).manifest.fields()
            records.append(_record_set(entry, fields))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": commit.dataset,
        "description": commit.description or commit.message or commit.dataset,
        "version": snapshot.committed.digest,
        "datePublished": commit.at,
        "identifier": snapshot.name,
        "creator": {"@type": "sc:Person", "name": commit.author or "unknown"},
        "distribution": files,
        "recordSet": records,
    }


def _file(snapshot: Snapshot, entry: Entry) -> dict[str, Any]:
    form = "application/vnd.apache.parquet" if entry.kind == "table" else "application/octet-stream"
    return {
        "@type": "cr:FileObject",
        "@id": entry.path,
        "name": entry.path,
        "contentUrl": f"{snapshot.name}:{entry.path}",
        "contentSize": f"{entry.size} B",
        "encodingFormat": form,
        "identifier": f"blake3:{entry.content}",
    }


def _record_set(entry: Entry, fields: Sequence[Field]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": f"{entry.path}#rows",
        "name": entry.path,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{entry.path}#{field.name}",
                "name": field.name,
                "dataType": _croissant_type(field.type),
                "source": {
                    "fileObject": {"@id": entry.path},
                    "extract": {"column": field.name},
                },
            }
            for field in fields
        ],
    }


def _croissant_type(kind: str) -> str:
    return next((name for begin, name in _TYPES if kind.startswith(begin)), "sc:Text")


def lineage_event(
    made: Committed, inputs: Sequence[Committed], job: str, namespace: str = "roadworthy"
) -> dict[str, Any]:
    """A commit as an OpenLineage event: the run that made it is complete."""
    return read_event(inputs, job, made.commit.write, made.commit.at, namespace, [made])


def read_event(
    inputs: Sequence[Committed],
    job: str,
    run: str,
    at: str,
    namespace: str = "roadworthy",
    outputs: Sequence[Committed] = (),
) -> dict[str, Any]:
    """An OpenLineage event for a run that read commits, and perhaps made some.

    ``run`` is any id of the run; OpenLineage wants a UUID, which is derived from one that is not.
    """
    return {
        "eventType": "COMPLETE",
        "eventTime": at,
        "run": {"runId": _uuid(run), "facets": {}},
        "job": {"namespace": namespace, "name": job, "facets": {}},
        "inputs": [_lineage_dataset(each, namespace) for each in inputs],
        "outputs": [_lineage_dataset(each, namespace) for each in outputs],
        "producer": _PRODUCER,
        "schemaURL": _RUN_EVENT,
    }


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]))


def _lineage_dataset(committed: Committed, namespace: str) -> dict[str, Any]:
    commit = committed.commit
    fields = [
        {"name": f"{each.path}.{field.name}", "type": field.type}
        for each in commit.tables
        for field in each.fields
    ]
    return {
        "namespace": namespace,
        "name": commit.dataset,
        "facets": {
            "version": {
                "_producer": _PRODUCER,
                "_schemaURL": _VERSION_FACET,
                "datasetVersion": committed.digest,
            },
            "schema": {"_producer": _PRODUCER, "_schemaURL": _SCHEMA_FACET, "fields": fields},
        },
    }
