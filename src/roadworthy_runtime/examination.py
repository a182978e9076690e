"""The checks of a loaded flow: replay, the law on real and made-up rows, effects, determinism."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from roadworthy_runtime import synthetic
from roadworthy_runtime.compare import short
from roadworthy_runtime.effects import Effect, watching
from roadworthy_runtime.law import RELATIVE, Asked, Finding, Law, select, telling_rows
from roadworthy_runtime.locate import locate
from roadworthy_runtime.sample import Sample
from roadworthy_runtime.synthetic import Synthetic

_LAW_ROWS = 200
_TRACED_ROWS = 5
_SECONDS_ALONE = 0.6
"""About how long single rows may take together; never fewer than 40 of them."""
_LEAST_ANSWERED = 0.1
"""The share of rows with fresh keys that must be answered: made-up keys may be no dates."""

Check = dict[str, Any]
"""The fields of a certificate's check."""


class Examination:
    """The checks of one loaded flow on its sample."""

    def __init__(
        self, flow: Any, law: Law, sample: Sample, declared: float, retaught: bool = False
    ) -> None:
        self.flow, self.law, self.sample, self.declared = flow, law, sample, declared
        self.retaught = retaught
        """Whether the sample's answers are prepared with what the training side learned."""
        self.notes: list[str] = []
        self.whole = law.ask(sample.columns, sample.n)
        rows = telling_rows(sample.columns, sample.n, _LAW_ROWS)
        self.columns = select(sample.columns, rows)
        self.n = len(rows)
        self.among = law.ask(self.columns, self.n)
        if self.n:
            law.ask(select(self.columns, [0]), 1)
        began = time.perf_counter()
        if self.n:
            law.ask(select(self.columns, [0]), 1)
        each = time.perf_counter() - began
        self.budget = max(30, min(200, int(_SECONDS_ALONE / max(each, 1e-6))))

    def checks(self, effects: Sequence[Effect]) -> list[Check]:
        """All of them, in the order of the certificate."""
        found = [self.replay(), *self.laws(), self.empty()]
        kinds = [
            synthetic.resampled(self.columns, self.n),
            synthetic.with_nulls(self.columns, self.n, self.flow.signature),
            synthetic.out_of_range(self.columns, self.n, self.flow.signature),
            synthetic.unseen_levels(self.columns, self.n, self.flow.signature),
        ]
        found += [self.synthetic(made) for made in kinds]
        found.append(self.fresh_keys())
        found.append(self.missing_columns())
        found.append(self.effects(effects))
        found.append(self.deterministic())
        return found

    def replay(self) -> Check:
        """Whether the sample's rows get their recorded answers."""
        title = "Replay gives the program's own answers"
        if self.retaught:
            title += ", had its test side been prepared as its training side was"
        required = "equal" if not self.declared else f"equal within {self.declared:g} relative"
        if self.whole.error:
            return check("replay", title, self.whole.error, False, {}, required)
        finding, greatest, equal = self._replayed()
        evidence: dict[str, Any] = {"rows": self.sample.n, "greatest_relative": greatest}
        measured = f"{equal:,} of {self.sample.n:,} answers equal"
        if greatest:
            measured += f", greatest relative difference {greatest:.3g}"
        if finding is not None:
            evidence["difference"] = finding._asdict()
            measured += f"; {finding.column} row {finding.row}: program {finding.expected}, "
            measured += f"flow {finding.found}"
        if not self.sample.n:
            return check("replay", title, "the sample has no rows", False, evidence, required)
        return check("replay", title, measured, finding is None, evidence, required)

    def _replayed(self) -> tuple[Optional[Finding], float, int]:
        whole, first, greatest = self.whole, None, 0.0
        wrong: set[int] = set()
        missing = set(whole.values) - set(self.sample.answers)
        for name in sorted(missing):
            return Finding(0, name, "no recorded answers in the sample", "answers"), 0.0, 0
        for name, expected in self.sample.answers.items():
            if name not in whole.values:
                return Finding(0, name, "recorded answers", "no such output"), 0.0, 0
            for row, (program, flow) in enumerate(zip(expected, whole.values[name])):
                rejected = row in whole.rejected
                if rejected and self.sample.rejected[row]:
                    continue
                if rejected or self.sample.rejected[row]:
                    reason = whole.rejected[row][0] if rejected else ""
                    texts = (short(program), f"rejected: {reason}")
                    if not rejected:
                        texts = ("rejected", short(flow))
                    finding: Optional[Finding] = Finding(row, name, *texts)
                else:
                    relative = _relative(program, flow)
                    if relative is not None:
                        greatest = max(greatest, relative)
                    same = relative is not None and relative <= self.declared
                    finding = None if same else Finding(row, name, short(program), short(flow))
                if finding is not None:
                    wrong.add(row)
                    first = first or finding
        return first, greatest, self.sample.n - len(wrong)

    def laws(self) -> list[Check]:
        """One row alone, permuted, in halves, repeated: on creation's own rows."""
        required = f"the same answers, floats within {max(RELATIVE, self.declared):g} relative"
        checks = []
        alone_rows = telling_rows(self.columns, self.n, min(self.n, self.budget * 2 // 5))
        finding, _ = self.law.alone(self.columns, self.among, alone_rows)
        findings = {"alone": finding, **self.law.orders(self.columns, self.among)}
        titles = {
            "alone": f"Each of {len(alone_rows)} rows alone is answered as among others",
            "permuted": "Rows in another order get the same answers",
            "halves": "Rows in two halves get the same answers",
            "repeated": "Rows that are repeated get the same answers",
        }
        for kind, found in findings.items():
            title, evidence = titles[kind], dict[str, Any](rows=self.n)
            measured = self.among.error or ("no difference" if found is None else str(found))
            if found is not None:
                evidence = {**evidence, **self._evidence(self.columns, self.n, kind, found)}
            passed = found is None and not self.among.error and self.n > 0
            checks.append(check(f"law-{kind}", title, measured, passed, evidence, required))
        return checks

    def _evidence(self, columns: Any, n: int, kind: str, found: Finding) -> dict[str, Any]:
        positions = {"halves": list(range(n // 2)), "repeated": [found.row, found.row]}.get(
            kind, [found.row]
        )
        evidence: dict[str, Any] = {"difference": found._asdict()}
        evidence["input"] = {k: short(_at(v, found.row)) for k, v in columns.items()}
        with contextlib.suppress(Exception):
            place = locate(self.flow, columns, n, positions, self.declared)
            if place is not None:
                evidence["starts_at"] = place
        return evidence

    def empty(self) -> Check:
        """Whether no rows get no answers, of the right types."""
        asked = self.law.ask(select(self.columns, []), 0)
        measured = asked.error or "no rows, no answers"
        passed = not asked.error and all(not values for values in asked.values.values())
        return check("law-empty", "An empty table is answered", measured, passed)

    def synthetic(self, made: Synthetic) -> Check:
        """Whether rows that creation never had obey the law, or are refused one by one."""
        title = _SYNTHETIC_TITLES[made.kind]
        identity = f"synthetic-{made.kind}"
        required = "one row alone is answered as among others, or refused likewise"
        if not made.n:
            return check(identity, title, "no column can be changed so", None, {}, required)
        finding, raising = self.obeys(made)
        evidence: dict[str, Any] = {"rows": made.n}
        measured = f"{made.n} rows obey the law"
        if raising:
            evidence["raises"] = [
                {"row": row, "what": made.notes[row], "error": error}
                for row, error in list(raising.items())[:10]
            ]
            row, error = next(iter(raising.items()))
            measured += f"; {len(raising)} raise, the first where {made.notes[row]}: {error}"
            self.notes.append(f"{title}: where {made.notes[row]} the flow raises {error}")
        if finding is not None:
            measured = f"{finding} ({made.notes[finding.row]})"
            evidence.update(self._evidence(made.columns, made.n, made.kind, finding))
        return check(identity, title, measured, finding is None, evidence, required)

    def obeys(self, made: Synthetic) -> tuple[Optional[Finding], dict[int, str]]:
        """The first break of the law among made-up rows, and the rows that raise by themselves."""
        share = max(4, self.budget // 7)
        rows = list(range(made.n))
        whole = self.law.ask(made.columns, made.n)
        if not whole.error:
            step = max(1, made.n // share)
            finding, raising = self.law.alone(made.columns, whole, rows[::step][: share + 1])
            orders = [] if finding else list(self.law.orders(made.columns, whole).values())
            return next((f for f in [finding, *orders] if f is not None), None), raising
        single = {row: self.law.ask(select(made.columns, [row]), 1) for row in rows}
        raising = {row: asked.error for row, asked in single.items() if asked.error}
        good = [row for row in rows if row not in raising]
        if not good:
            return None, raising
        rest = self.law.ask(select(made.columns, good), len(good))
        for i, row in enumerate(good):
            finding = self.law.compare(rest, [i], single[row])
            if finding is not None:
                return finding._replace(row=row), raising
        return None, raising

    def fresh_keys(self) -> Check:
        """Whether anything is left of the answers when keys are replaced by fresh ones."""
        title = "Fresh keys are answered: nothing was learned by heart"
        required = "rows with unique keys replaced obey the law and are answered as before"
        evidence: dict[str, Any] = {}
        texts = []
        for made in synthetic.fresh_keys(self.columns, self.n, self.flow.signature):
            finding, raising = self.obeys(made)
            good = [row for row in range(made.n) if row not in raising]
            asked = self.law.ask(select(made.columns, good), len(good))
            if len(good) < _LEAST_ANSWERED * made.n:
                lost = f"the flow raises {next(iter(raising.values()))}"
            else:
                lost = self._lost(asked, several=len(self.columns) > 1)
            before = _rows(self.among)
            changed = sum(a != before[row] for a, row in zip(_rows(asked), good))
            evidence[made.kind] = {"rows": made.n, "answers_changed": changed, "lost": lost}
            if finding is not None:
                lost = str(finding)
            if lost:
                measured = f"{made.kind}: {lost}"
                return check("fresh-keys", title, measured, False, evidence, required)
            texts.append(f"{made.kind}: {changed} of {len(good)} answers change")
            if raising:
                row, error = next(iter(raising.items()))
                evidence[made.kind]["not_answered"] = {str(row): error}
                texts[-1] += f", {len(raising)} rows are not answered: {error}"
            if asked.rejected and len(asked.rejected) >= 0.9 * made.n:
                self.notes.append(f"{made.kind}: rows with fresh keys are rejected")
        if not texts:
            return check("fresh-keys", title, "no column has a key per row", None, {}, required)
        return check("fresh-keys", title, "; ".join(texts), True, evidence, required)

    def _lost(self, asked: Asked, several: bool) -> str:
        """What shows that the answers hung on the keys of creation; empty if nothing does."""
        if self.among.error:
            return ""
        if asked.error:
            return f"the flow raises {asked.error}"
        before = [r for i, r in enumerate(_rows(self.among)) if i not in self.among.rejected]
        after = [r for i, r in enumerate(_rows(asked)) if i not in asked.rejected]
        if after and _all_null(after) and not _all_null(before):
            return "no row is answered"
        if several and len(before) >= 10 and len(set(before)) > 10 and len(set(after)) == 1:
            return f"all rows get the same answer {short(after[0])}"
        return ""

    def missing_columns(self) -> Check:
        """Whether a missing column is named, and a surplus one makes no difference."""
        title = "A missing column is named, a surplus one ignored"
        for name in self.columns:
            rest = {k: v for k, v in self.columns.items() if k != name}
            asked = self.law.ask(rest, self.n)
            if not asked.error.startswith("MissingColumn") or name not in asked.error:
                measured = f"without {name}: {asked.error or 'an answer'}"
                return check("missing-column", title, measured, False)
        more = {"surplus column": [None] * self.n, **self.columns}
        finding = self.law.compare(self.among, list(range(self.n)), self.law.ask(more, self.n))
        measured = f"{len(self.columns)} columns tried" if finding is None else str(finding)
        return check("missing-column", title, measured, finding is None)

    def effects(self, loading: Sequence[Effect]) -> Check:
        """Whether loading and answering leave files, network, clock and chance alone."""
        title = "No file, network, process, clock or unseeded randomness is touched"
        few = telling_rows(self.columns, self.n, _TRACED_ROWS)
        with watching(self.flow.directory) as answering:
            self.law.ask(select(self.columns, few), len(few))
        found = [*loading, *answering]
        evidence = {"effects": [vars(effect) for effect in found]}
        measured = "nothing is touched" if not found else "; ".join(map(str, found[:3]))
        return check("effects", title, measured, not found, evidence)

    def deterministic(self) -> Check:
        """Whether the sample gets the same answers when it is asked again.

        That another process answers alike is what replay shows: the program ran in another one.
        """
        required = f"the same, floats within {max(RELATIVE, self.declared):g} relative"
        again = self.law.ask(self.sample.columns, self.sample.n)
        finding = self.law.compare(self.whole, list(range(self.sample.n)), again)
        measured = "no difference" if finding is None else f"asked again: {finding}"
        evidence = {} if finding is None else {"difference": finding._asdict()}
        title = "The same rows get the same answers again"
        return check("deterministic", title, measured, finding is None, evidence, required)


_SYNTHETIC_TITLES = {
    "resampled": "Rows of values that never met obey the law",
    "nulls": "Rows with nulls obey the law",
    "extremes": "Rows out of creation's range obey the law",
    "levels": "Rows with unseen texts obey the law",
}


def _relative(program: Any, flow: Any) -> Optional[float]:
    """By how much two answers differ: 0 if equal, None if no number says it."""
    if program is None or flow is None:
        return 0.0 if _is_null(program) and _is_null(flow) else None
    if type(program) is not type(flow):
        return None
    if isinstance(program, float):
        if program == flow or (program != program and flow != flow):
            return 0.0
        if program != program or flow != flow:
            return None
        return float(abs(program - flow) / max(abs(program), abs(flow)))
    if isinstance(program, (list, tuple)):
        parts = [_relative(x, y) for x, y in zip(program, flow)]
        if len(program) != len(flow) or None in parts:
            return None
        return max((part for part in parts if part is not None), default=0.0)
    return 0.0 if program == flow else None


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _rows(asked: Asked) -> list[tuple[str, ...]]:
    if asked.error:
        return [(asked.error,)] * asked.n
    return [tuple(repr(value) for value in asked.row(i)) for i in range(asked.n)]


def _all_null(rows: Sequence[tuple[str, ...]]) -> bool:
    return all(value in ("None", "nan", "NaT", "<NA>") for row in rows for value in row)


def _at(values: Any, row: int) -> Any:
    return values[row]


def check(
    identity: str,
    title: str,
    measured: str,
    passed: Optional[bool],
    evidence: Optional[Mapping[str, Any]] = None,
    required: str = "",
) -> Check:
    outcome = "not applicable" if passed is None else "passed" if passed else "failed"
    return {
        "id": identity,
        "group": "capture",
        "title": title,
        "outcome": outcome,
        "required": required or title,
        "measured": measured,
        "evidence": dict(evidence or {}),
    }
