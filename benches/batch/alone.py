"""A flow called in process: ``python alone.py FLOW ROWS.parquet``; prints its seconds, loaded."""

import sys
import time
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from roadworthy_runtime.worker import load_flow

CHUNK = 20_000

flow = load_flow(Path(sys.argv[1]))
began = time.perf_counter()
for rows in parquet.ParquetFile(sys.argv[2]).iter_batches(CHUNK):
    columns = {}
    for name in rows.schema.names:
        values = rows.column(name)
        plain = not values.null_count and pa.types.is_primitive(values.type)
        columns[name] = values.to_numpy() if plain else values.to_pylist()
    flow.answer_columns(columns, rows.num_rows)
print(time.perf_counter() - began)
