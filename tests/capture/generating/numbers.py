"""Idioms on numbers: filling, scaling, binning, masks, arithmetic, each with its meaning."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import numpy as np
from tests.capture.generating.building import (
    FLAG,
    NUMBER,
    NUMERIC,
    WHOLE,
    WORD,
    Build,
    NotHere,
    Row,
    Unmade,
    null,
    number,
)

STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "mean": lambda found: float(found.mean()),
    "median": lambda found: float(statistics.median(found.tolist())),
    "min": lambda found: float(found.min()),
    "max": lambda found: float(found.max()),
}


def fill_number(g: Build) -> None:
    """``df.c.fillna(df.c.mean())`` in its many spellings."""
    name = g.pick(NUMBER, nullable=True)
    what = g.rng.choice(list(STATISTICS))
    by = STATISTICS[what](_some(g, name))
    learned = f'$L["{name}"].{what}()'
    if g.whole:
        spelled = g.rng.choice(
            [
                f'$F["{name}"] = $F["{name}"].fillna({learned})',
                f'$F = $F.fillna({{"{name}": {learned}}})',
                f'$F.fillna({{"{name}": {learned}}}, inplace=True)',
                f'{g.floats(name)}$F.loc[$F["{name}"].isna(), "{name}"] = {learned}',
                f'$F["{name}"] = np.where($F["{name}"].isnull(), {learned}, $F["{name}"])',
                f"$F.{name} = $F.{name}.fillna({learned})"
                if name != "size"
                else f"$F.fillna({{'size': {learned}}}, inplace=True)",
                f'$F["{name}"] = $F["{name}"].where($F["{name}"].notna(), {learned})',
                f'middle = {learned}\n$F["{name}"] = '
                f'$F["{name}"].apply(lambda v: middle if pd.isnull(v) else v)',
                f'$F["{name}"] = [{learned} if np.isnan(v) else v for v in $F["{name}"]]',
                f'$F = $F.assign({name}=lambda t: t["{name}"].fillna(t["{name}"].{what}()))',
            ]
        )
        g.say(spelled)
    else:
        value = g.fresh("middle")
        g.say(f"{value} = {learned}")
        g.each(
            g.rng.choice(
                [
                    f'$F["{name}"] = $F["{name}"].fillna({value})',
                    f'{g.floats(name)}$F.loc[$F["{name}"].isna(), "{name}"] = {value}',
                ]
            )
        )
    g.table.put(name, lambda row: by if null(row[name]) else row[name])


def fill_several(g: Build) -> None:
    """A loop over columns, or the whole frame at once."""
    names = g.some(1, 3, NUMBER, nullable=True)
    what = g.rng.choice(["mean", "median"])
    way = g.rng.choice(["loop", "frame", "list", "imputer"])
    if way == "frame":
        names = [n for n, c in g.table.columns.items() if c.kind == NUMBER and c.nullable]
        g.each(f"$F = $F.fillna($L.{what}(numeric_only=True))", changes=False)
    elif way == "loop":
        g.say(f"for name in {names!r}:")
        g.say(f"    middle = $L[name].{what}()")
        for frame in g.frames:
            g.say(f"    {frame}[name] = {frame}[name].fillna(middle)")
    elif way == "list":
        g.say(f"middles = $L[{names!r}].{what}()")
        g.each(f"$F[{names!r}] = $F[{names!r}].fillna(middles)")
    else:
        g.need("from sklearn.impute import SimpleImputer")
        imputer = g.fresh("imputer")
        g.say(f'{imputer} = SimpleImputer(strategy="{what}")')
        g.say(f"$L[{names!r}] = {imputer}.fit_transform($L[{names!r}])")
        if not g.whole:
            g.say(f"$F[{names!r}] = {imputer}.transform($F[{names!r}])")
    for name in names:
        _fill(g, name, STATISTICS[what](_some(g, name)))


def _fill(g: Build, name: str, by: float) -> None:
    g.table.put(name, lambda row: by if null(row[name]) else row[name])


def fill_constant(g: Build) -> None:
    """An agreed value for what is missing, or a mark that it was."""
    name = g.pick(NUMBER, nullable=True)
    if g.rng.random() < 0.4:
        mark = g.fresh("no")
        g.each(f'$F["{mark}"] = $F["{name}"].isna().astype(int)')
        g.table.put(mark, lambda row: int(null(row[name])), FLAG)
    value = g.constant()
    g.each(f'$F["{name}"] = $F["{name}"].fillna({value})')
    _fill(g, name, value)


def fill_by_group(g: Build) -> None:
    """What the row's group has, and the overall one for groups never seen."""
    name, key = g.pick(NUMBER, nullable=True), g.pick(WORD)
    what = g.rng.choice(["mean", "median"])
    groups: dict[str, list[float]] = {}
    for row in g.table.learn:
        if not null(row[key]) and not null(row[name]):
            groups.setdefault(row[key], []).append(row[name])
    found = {level: STATISTICS[what](np.array(values)) for level, values in groups.items()}
    if g.whole and g.rng.random() < 0.5:
        how = g.rng.choice([f'"{what}"', f"lambda s: s.{what}()"])
        spelled = f'$F.groupby("{key}")["{name}"].transform({how})'
        if g.rng.random() < 0.3:
            spelled = f'$F.groupby("{key}")["{name}"].transform(lambda s: s.fillna(s.{what}()))'
            g.say(f'$F["{name}"] = {spelled}')
            g.table.put(
                name,
                lambda row: (
                    math.nan
                    if null(row[key])
                    else found.get(row[key], math.nan)
                    if null(row[name])
                    else row[name]
                ),
                nullable=True,
            )
            return
        g.say(f'$F["{name}"] = $F["{name}"].fillna({spelled})')
    else:
        groups_name = g.fresh("by_group")
        g.say(f'{groups_name} = $L.groupby("{key}")["{name}"].{what}()')
        g.each(f'$F["{name}"] = $F["{name}"].fillna($F["{key}"].map({groups_name}))')
    g.table.put(
        name,
        lambda row: found.get(row[key], math.nan) if null(row[name]) else row[name],
        nullable=True,
    )


def scale(g: Build) -> None:
    """Deviations from the mean in a spelling of its own."""
    name = g.pick(*NUMERIC)
    found = _some(g, name)
    center, spread = float(found.mean()), float(found.std(ddof=1))
    if spread < 1e-6:
        raise NotHere
    nullable = g.table.columns[name].nullable
    if g.whole:
        g.say(
            g.rng.choice(
                [
                    f'$F["{name}"] = ($F["{name}"] - $F["{name}"].mean()) / $F["{name}"].std()',
                    f'm, s = $F["{name}"].mean(), $F["{name}"].std()\n'
                    f'$F["{name}"] = $F["{name}"].map(lambda v: (v - m) / s)',
                    f'x = $F["{name}"].astype(float)\nx = x - x.mean()\nx /= x.std()\n'
                    f'$F["{name}"] = x',
                    f'z = $F["{name}"] - $F["{name}"].mean()\n$F["{name}"] = z / z.std()',
                ]
            )
        )
    else:
        g.say(f'mean, spread = $L["{name}"].mean(), $L["{name}"].std()')
        g.each(f'$F["{name}"] = ($F["{name}"] - mean) / spread')
    g.table.put(name, lambda row: (number(row[name]) - center) / spread, nullable=nullable)


def scaler(g: Build) -> None:
    """scikit-learn's scalers on one or several columns."""
    names = g.some(1, 3, NUMBER, WHOLE)
    low_high = g.rng.random() < 0.4
    kind = "MinMaxScaler" if low_high else "StandardScaler"
    g.need(f"from sklearn.preprocessing import {kind}")
    made = g.fresh("scaler")
    parts = []
    for name in names:
        found = _some(g, name)
        if float(found.std()) < 1e-6:
            raise NotHere
        spread = found.max() - found.min() if low_high else found.std()
        parts.append((name, float(found.min() if low_high else found.mean()), float(spread)))
    g.say(f"{made} = {kind}()")
    if g.whole and g.rng.random() < 0.5:
        g.say(f"{made}.fit($F[{names!r}])\n$F[{names!r}] = {made}.transform($F[{names!r}])")
    else:
        g.say(f"$L[{names!r}] = {made}.fit_transform($L[{names!r}])")
        if not g.whole:
            g.say(f"$F[{names!r}] = {made}.transform($F[{names!r}])")
    _together(g, names)
    for name, center, spread in parts:
        _shift(g, name, center, spread)


def _together(g: Build, names: list[str]) -> None:
    """One call takes all of these columns: it fails for all where one of them could not be made."""

    def step(row: Row) -> None:
        if any(isinstance(row[name], Unmade) for name in names):
            row.update(dict.fromkeys(names, Unmade()))

    g.table.do(step)


def _shift(g: Build, name: str, center: float, spread: float) -> None:
    nullable = g.table.columns[name].nullable
    g.table.put(name, lambda row: (number(row[name]) - center) / spread, nullable=nullable)


def bins(g: Build) -> None:
    """``cut``, ``qcut`` and ``digitize`` with learned edges."""
    name = g.pick(NUMBER, WHOLE)
    found = _some(g, name)
    if float(found.std()) < 1e-6:
        raise NotHere
    made, count = g.fresh("bin"), g.rng.randint(2, 5)
    if g.rng.random() < 0.4:
        quantiles = [0.25, 0.5, 0.75]
        edges = np.quantile(found, quantiles)
        names = g.fresh("edges")
        g.say(f'{names} = np.nanquantile($L["{name}"], {quantiles})')
        g.each(f'$F["{made}"] = np.digitize($F["{name}"].fillna(0), {names})')
        g.table.put(
            made, lambda row: int((edges <= (0 if null(row[name]) else row[name])).sum()), WHOLE
        )
        return
    g.only_whole()
    if g.rng.random() < 0.5:
        edges = np.linspace(found.min(), found.max(), count + 1)
        edges[0] -= (found.max() - found.min()) * 0.001
        g.say(f'$F["{made}"] = pd.cut($F["{name}"], {count}, labels=False)')
        lowest = False
    else:
        edges = np.unique(np.quantile(found, np.linspace(0, 1, count + 1)))
        if len(edges) < 3:
            raise NotHere
        g.say(f'$F["{made}"] = pd.qcut($F["{name}"], {count}, labels=False, duplicates="drop")')
        lowest = True

    def place(row: Row) -> float:
        value = number(row[name])
        if math.isnan(value) or value > edges[-1] or value < edges[0]:
            return math.nan
        if value == edges[0]:
            return 0.0 if lowest else math.nan
        return float((edges < value).sum() - 1)

    g.table.put(made, place, nullable=True)


def cut_points(g: Build) -> None:
    """``cut`` at agreed points with words for what lies between."""
    name = g.pick(NUMBER, WHOLE)
    low, high = sorted([g.among(name, 0.1, 0.4), g.among(name, 0.6, 0.9)])
    if low == high:
        raise NotHere
    made = g.fresh("band")
    g.each(
        f'$F["{made}"] = pd.cut($F["{name}"], [-np.inf, {low}, {high}, np.inf], '
        'labels=["low", "mid", "high"]).astype(object)'
    )

    def word(row: Row) -> str | None:
        if null(row[name]):
            return None
        return "low" if row[name] <= low else "mid" if row[name] <= high else "high"

    g.table.put(made, word, WORD, g.table.columns[name].nullable)


def clip(g: Build) -> None:
    """Values pulled in to learned quantiles."""
    name = g.pick(NUMBER, WHOLE)
    found = _some(g, name)
    low, high = float(np.quantile(found, 0.1)), float(np.quantile(found, 0.9))
    nullable = g.table.columns[name].nullable
    if g.whole and g.rng.random() < 0.5:
        g.say(
            g.rng.choice(
                [
                    f'$F["{name}"] = $F["{name}"].clip($F["{name}"].quantile(0.1), '
                    f'$F["{name}"].quantile(0.9))',
                    f'low, high = np.nanpercentile($F["{name}"], [10, 90])\n'
                    f'$F["{name}"] = np.clip($F["{name}"], low, high)',
                    f'low, high = $F["{name}"].quantile([0.1, 0.9])\n'
                    f'$F["{name}"] = $F["{name}"].astype(float)\n'
                    f'$F.loc[$F["{name}"] < low, "{name}"] = low\n'
                    f'$F.loc[$F["{name}"] > high, "{name}"] = high',
                    f'low, high = $F["{name}"].quantile(0.1), $F["{name}"].quantile(0.9)\n'
                    f'$F["{name}"] = [max(low, min(high, v)) if v == v else v '
                    f'for v in $F["{name}"]]',
                ]
            )
        )
    else:
        g.say(f'low, high = $L["{name}"].quantile(0.1), $L["{name}"].quantile(0.9)')
        g.each(f'$F["{name}"] = $F["{name}"].clip(low, high)')
    g.table.put(
        name,
        lambda row: row[name] if null(row[name]) else min(max(row[name], low), high),
        nullable=nullable,
    )


def mask(g: Build) -> None:
    """``df.loc[mask, c] = v`` with an agreed or learned threshold."""
    by, name = g.pick(NUMBER, WHOLE), g.pick(NUMBER)
    value = g.constant()
    if g.rng.random() < 0.5:
        threshold, spelled = g.among(by), ""
        spelled = repr(threshold)
    else:
        threshold = float(np.median(_some(g, by)))
        spelled = f'$L["{by}"].median()'
    if not g.whole:
        limit = g.fresh("limit")
        g.say(f"{limit} = {spelled}")
        spelled = limit
    g.each(
        g.rng.choice(
            [
                f'{g.floats(name)}$F.loc[$F["{by}"] > {spelled}, "{name}"] = {value}',
                f'$F["{name}"] = $F["{name}"].mask($F["{by}"] > {spelled}, {value})',
                f'$F["{name}"] = np.where($F["{by}"] > {spelled}, {value}, $F["{name}"])',
                f'{g.floats(name)}over = $F["{by}"] > {spelled}\n$F.loc[over, "{name}"] = {value}',
            ]
        )
    )
    nullable = g.table.columns[name].nullable
    g.table.put(
        name,
        lambda row: value if not null(row[by]) and row[by] > threshold else row[name],
        nullable=nullable,
    )


def flag(g: Build) -> None:
    """A mark for rows above a learned value, or inside of two agreed ones."""
    name, made = g.pick(NUMBER, WHOLE), g.fresh("flag")
    if g.rng.random() < 0.5:
        what = g.rng.choice(["mean", "median"])
        limit = STATISTICS[what](_some(g, name))
        if any(abs(value - limit) < 1e-9 for value in g.table.numbers(name)):
            raise NotHere
        if g.whole:
            g.say(f'$F["{made}"] = ($F["{name}"] > $F["{name}"].{what}()).astype(int)')
        else:
            g.say(f'limit = $L["{name}"].{what}()')
            g.each(f'$F["{made}"] = ($F["{name}"] > limit).astype(int)')
        g.table.put(made, lambda row: int(not null(row[name]) and row[name] > limit), FLAG)
        return
    low, high = sorted([g.among(name), g.among(name)])
    g.each(
        g.rng.choice(
            [
                f'$F["{made}"] = $F["{name}"].between({low}, {high})',
                f'$F["{made}"] = ($F["{name}"] >= {low}) & ($F["{name}"] <= {high})',
                f'$F["{made}"] = $F["{name}"].apply(lambda v: {low} <= v <= {high})',
            ]
        )
    )
    g.table.put(made, lambda row: not null(row[name]) and low <= row[name] <= high, FLAG)


def arithmetic(g: Build) -> None:
    """A column from others of the same row."""
    a, b, made = g.pick(*NUMERIC), g.pick(NUMBER, WHOLE), g.fresh("made")
    k = g.constant()
    nullable = g.table.columns[a].nullable or g.table.columns[b].nullable
    texts: list[tuple[str, Callable[[Row], float]]] = [
        (
            f'$F["{made}"] = $F["{a}"] * {k} + $F["{b}"]',
            lambda row: number(row[a]) * k + number(row[b]),
        ),
        (
            f'$F["{made}"] = np.log1p($F["{b}"].clip(lower=0)) - $F["{a}"]',
            lambda row: (
                math.log1p(max(number(row[b]), 0.0)) - number(row[a])
                if not null(row[b])
                else math.nan
            ),
        ),
        (
            f'$F["{made}"] = $F["{a}"] / ($F["{b}"].abs() + {abs(k)})',
            lambda row: number(row[a]) / (abs(number(row[b])) + abs(k)),
        ),
        (
            f'$F["{made}"] = $F.apply(lambda r: r["{a}"] + {k} * r["{b}"], axis=1)',
            lambda row: number(row[a]) + k * number(row[b]),
        ),
        (
            f'$F["{made}"] = [p - q * {k} for p, q in zip($F["{a}"], $F["{b}"])]',
            lambda row: number(row[a]) - number(row[b]) * k,
        ),
        (
            f'$F["{made}"] = $F["{b}"] ** 2\n$F["{made}"] -= {k}',
            lambda row: number(row[b]) ** 2 - k if not null(row[b]) else math.nan,
        ),
        (
            f'$F["{made}"] = $F[["{a}", "{b}"]].sum(axis=1)' if a != b else "",
            lambda row: sum(v for v in (number(row[a]), number(row[b])) if v == v),
        ),
    ]
    text, of = g.rng.choice(texts)
    if not text:
        raise NotHere
    g.each(text)
    g.table.put(made, of, nullable=nullable)


def relative(g: Build) -> None:
    """A column relative to what all creation rows have."""
    name, made = g.pick(NUMBER, WHOLE), g.fresh("part")
    found = _some(g, name)
    if abs(found.sum()) < 1e-3:
        raise NotHere
    total, low, top = float(found.sum()), float(found.min()), float(found.max())
    nullable = g.table.columns[name].nullable
    if g.rng.random() < 0.5:
        g.say(f'total = $L["{name}"].sum()') if not g.whole else None
        by = "total" if not g.whole else f'$F["{name}"].sum()'
        g.each(f'$F["{made}"] = $F["{name}"] / {by}')
        g.table.put(made, lambda row: number(row[name]) / total, nullable=nullable)
        return
    if not g.whole:
        g.say(f'low, top = $L["{name}"].min(), $L["{name}"].max()')
        g.each(f'$F["{made}"] = ($F["{name}"] - low) + top')
    else:
        g.say(f'$F["{made}"] = ($F["{name}"] - $F["{name}"].min()) + max($F["{name}"].dropna())')
    g.table.put(made, lambda row: number(row[name]) - low + top, nullable=nullable)


def missing_count(g: Build) -> None:
    """How many cells of a row are empty."""
    names = g.some(2, 4, NUMBER, WORD, WHOLE)
    made = g.fresh("missing")
    g.each(f'$F["{made}"] = $F[{names!r}].isnull().sum(axis=1)')
    g.table.put(made, lambda row: sum(null(row[name]) for name in names), WHOLE)


def _some(g: Build, name: str) -> np.ndarray:
    found = g.table.numbers(name)
    if len(found) < 8:
        raise NotHere
    return found


IDIOMS = [
    (fill_number, 6), (fill_several, 4), (fill_constant, 2), (fill_by_group, 4), (scale, 3),
    (scaler, 3), (bins, 3), (cut_points, 2), (clip, 3), (mask, 4), (flag, 3), (arithmetic, 5),
    (relative, 3), (missing_count, 1),
]  # fmt: skip
