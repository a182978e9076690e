"""A batch as its bench measures it: ``python whole.py JOB.json WORKERS``."""

import sys
from pathlib import Path

import msgspec

from roadworthy.pipelines.batch import Batch, LocalEngine, run_batch

job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Batch)
run_batch(job, LocalEngine(int(sys.argv[2])), lambda state: None)
