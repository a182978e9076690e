"""What the watch sees of a flow's own code, and what it leaves alone."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roadworthy_runtime.effects import Effect, watching

Watch = Callable[[str], list[Effect]]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """The effects of calling a function with this body, defined in a flow's directory."""

    def watch(body: str) -> list[Effect]:
        flow = tmp_path / "flow"
        flow.mkdir()
        (flow / "own.txt").write_text("5", "utf-8")
        text = "OWN = __file__.replace('flow.py', 'own.txt')\n\n\ndef steps():\n"
        (flow / "flow.py").write_text(
            text + textwrap.indent(textwrap.dedent(body), "    "), "utf-8"
        )
        spec = importlib.util.spec_from_file_location("watched_flow", flow / "flow.py")
        assert spec is not None
        assert spec.loader is not None
        module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        with watching(flow) as found:
            module.steps()
        return found

    return watch


@pytest.mark.parametrize(
    ("body", "kind", "source"),
    [
        ("open('/etc/hosts').close()", "file", "open('/etc/hosts').close()"),
        ("import os\nos.listdir('/etc')", "file", "os.listdir('/etc')"),
        ("import tempfile\ntempfile.mkdtemp()", "file", "tempfile.mkdtemp()"),
        ("open(OWN, 'a').close()", "file", "open(OWN, 'a').close()"),
        ("import sqlite3\nsqlite3.connect(':memory:').close()", "file", "sqlite3.connect"),
        ("import socket\nsocket.socket().close()", "network", "socket.socket().close()"),
        ("import subprocess\nsubprocess.run(['true'])", "process", "subprocess.run(['true'])"),
        ("import os\nos.system('true')", "process", "os.system('true')"),
        ("import time\nnow = time.time()", "clock", "now = time.time()"),
        ("from time import time as clock\nclock()", "clock", "clock()"),
        ("import datetime\ndatetime.datetime.now()", "clock", "datetime.datetime.now()"),
        ("import datetime as dt\ndt.date.today()", "clock", "dt.date.today()"),
        ("import pandas as pd\npd.Timestamp.now()", "clock", "pd.Timestamp.now()"),
        ("import pandas as pd\npd.to_datetime('today')", "clock", "pd.to_datetime('today')"),
        ("import random\nx = random.random()\ny = 1", "randomness", "x = random.random()"),
        ("import numpy as np\nx = np.random.rand(2)\ny = 1", "randomness", "x = np.random.rand(2)"),
        ("import numpy as np\nnp.random.default_rng()", "randomness", "np.random.default_rng()"),
        ("import uuid\nuuid.uuid4()", "randomness", "uuid.uuid4()"),
        (
            # Twice: at first it imports what it needs, and modules may draw when they are imported.
            "import pandas as pd\nfor _ in 'ab':\n    d = pd.DataFrame({'a': [1, 2]}).sample(1)",
            "randomness",
            "d = pd.DataFrame({'a': [1, 2]}).sample(1)",
        ),
    ],
    ids=lambda value: value.replace("\n", " ")[:40] if isinstance(value, str) else None,
)
def test_a_forbidden_effect_is_noted_with_its_line(
    watch: Watch, body: str, kind: str, source: str
) -> None:
    found = watch(body)
    assert found
    assert {effect.kind for effect in found} == {kind}
    assert found[0].file == "flow.py"
    assert found[0].source.startswith(source)
    assert str(found[0].line) in str(found[0])


@pytest.mark.parametrize(
    "body",
    [
        "open(OWN).close()",
        "import json\njson.loads('{}')",
        "import zoneinfo\nzoneinfo.ZoneInfo('Europe/Berlin')",
        "import random\nrandom.seed(1)\nrandom.random()",
        "import numpy as np\nnp.random.seed(1)\nnp.random.rand()",
        "import numpy as np\nnp.random.default_rng(5).random()",
        "import random\nrandom.Random(5).random()",
        "import datetime\ndatetime.datetime(2020, 1, 1)",
        "class Calendar:\n    def today(self): return 5\nCalendar().today()",
        "from sklearn.preprocessing import StandardScaler\nStandardScaler().fit([[1.0]])",
    ],
    ids=lambda body: body.replace("\n", " ")[:40],
)
def test_what_is_repeatable_is_left_alone(watch: Watch, body: str) -> None:
    assert watch(body) == []


def test_what_others_do_meanwhile_is_not_the_flows(tmp_path: Path) -> None:
    with watching(tmp_path) as found:
        (tmp_path.parent / "elsewhere.txt").write_text("x", "utf-8")
    assert found == []


def test_a_file_that_the_support_needs_to_read_state_is_left_alone(tmp_path: Path) -> None:
    support = tmp_path / "flow_support"
    support.mkdir()
    reading = (
        "def read(use):\n    with tempfile.TemporaryDirectory() as folder:\n        use(folder)\n"
    )
    codes = {
        support / "reading.py": "import tempfile\n\n" + reading,
        tmp_path / "flow.py": "def own(folder):\n    open(folder + '/x', 'w').close()\n",
    }
    names: dict[str, Any] = {}
    for path, text in codes.items():
        exec(compile(text, str(path), "exec"), names)
    with watching(tmp_path) as found:
        names["read"](lambda folder: None)
    assert found == []
    with watching(tmp_path) as found:
        names["read"](names["own"])
    assert [effect.kind for effect in found] == ["file"]
