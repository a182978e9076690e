"""Idioms on rows, columns and names: filters, orders, splits, loops, aliases, and broken laws."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from tests.capture.generating.building import (
    CODE,
    DATE,
    FLAG,
    KEY,
    NUMBER,
    NUMERIC,
    TARGET,
    WHOLE,
    WORD,
    Build,
    Column,
    NotHere,
    null,
    number,
)


def keep_rows(g: Build) -> None:
    """A filter on a column that production has: others are rejected."""
    g.only_whole()
    _plain_level(g)
    name = g.pick(NUMBER, WHOLE)
    limit = g.among(name, 0.05, 0.3)
    ways = [
        f'$F = $F[$F["{name}"] > {limit}]',
        f'$F = $F.loc[$F["{name}"] > {limit}].copy()',
        f'$F = $F[$F["{name}"] > {limit}].reset_index(drop=True)',
        f'$F = $F.query("{name} > {limit}")',
    ]
    g.say(g.rng.choice(ways))
    g.table.require(lambda row: not null(row[name]) and row[name] > limit)


def keep_known(g: Build) -> None:
    """``dropna`` over some columns, in place or not."""
    g.only_whole()
    _plain_level(g)
    names = g.some(1, 2, NUMBER, WORD, nullable=True)
    g.say(
        g.rng.choice(
            [
                f"$F = $F.dropna(subset={names!r})",
                f"$F.dropna(subset={names!r}, inplace=True)",
                f'$F = $F[$F["{names[0]}"].notna()]' if len(names) == 1 else
                f"$F = $F[$F[{names!r}].notna().all(axis=1)]",
            ]
        )
    )  # fmt: skip
    g.table.require(lambda row: not any(null(row[name]) for name in names))
    for name in names:
        g.table.columns[name] = Column(g.table.columns[name].kind, False)


def keep_learned(g: Build) -> None:
    """Outliers of a column that production has, by a learned threshold, before anything else."""
    g.only_whole()
    _plain_level(g)
    name = g.pick(NUMBER, WHOLE)
    found = g.table.numbers(name)
    limit = float(np.quantile(found, 0.95))
    if any(abs(value - limit) < 1e-9 for value in found):
        raise NotHere
    g.say(f'top = $F["{name}"].quantile(0.95)')
    g.say(f'$F = $F[$F["{name}"] <= top]')
    g.table.require(lambda row: not null(row[name]) and row[name] <= limit)


def keep_by_target(g: Build) -> None:
    """A filter that needs the target is for creation only."""
    g.only_whole()
    _plain_level(g)
    _target(g)
    values = [row["y"] for row in g.table.rows]
    if set(values) <= {0, 1}:
        raise NotHere
    limit = round(float(np.quantile(values, 0.9)), 1)
    g.say(
        g.rng.choice(
            [
                f'$F = $F[$F["y"] < {limit}]',
                f'$F = $F.drop($F[$F["y"] >= {limit}].index)',
                f'$F.drop($F.index[$F["y"] >= {limit}], inplace=True)',
                f'$F = $F.loc[~($F["y"] >= {limit})].reset_index(drop=True)',
            ]
        )
    )
    g.table.stay(lambda row: row["y"] < limit)


def drop_columns(g: Build) -> None:
    """Columns that go, by name, by what they hold, or kept by a list."""
    way = g.rng.choice(["drop", "list", "pop", "del", "inplace"])
    names = g.some(1, 2, NUMBER, WORD, CODE, DATE, KEY, FLAG)
    if len(g.table.columns) - len(names) < 5 or set(names) & set(g.must):
        raise NotHere
    if way == "list" and g.whole:
        left = [name for name in g.table.columns if name not in names]
        if not g.columns_known:
            raise NotHere
        g.say(f"$F = $F[{left!r}]")
    elif way == "pop" and g.whole:
        g.say("\n".join(f'$F.pop("{name}")' for name in names))
    elif way == "del":
        g.each("\n".join(f'del $F["{name}"]' for name in names))
    elif way == "inplace":
        g.each(f"$F.drop({names!r}, axis=1, inplace=True)")
    else:
        g.each(f"$F = $F.drop(columns={names!r})", changes=False)
    g.table.drop(names)


def rename(g: Build) -> None:
    """A column under another name."""
    name, made = g.pick(NUMBER, WHOLE, WORD), g.fresh("named")
    if name in g.must:
        raise NotHere
    g.each(f'$F = $F.rename(columns={{"{name}": "{made}"}})', changes=False)
    column = g.table.columns[name]
    g.table.put(made, lambda row: row[name], column.kind, column.nullable)
    g.table.drop([name])


def reorder(g: Build) -> None:
    """Sorting, shuffling, numbering anew: no request is any the wiser."""
    g.only_whole()
    _plain_level(g)
    rows = g.table.rows
    if g.rng.random() < 0.5:
        seed = g.rng.randint(0, 9)
        g.say(f"$F = $F.sample(frac=1, random_state={seed})")
        g.table.order(pd.Series(range(len(rows))).sample(frac=1, random_state=seed).tolist())
        rows[:] = list(rows)
    else:
        name = g.pick(KEY)
        up = g.rng.random() < 0.5
        g.say(f'$F = $F.sort_values("{name}", ascending={up})')
        g.table.order(sorted(range(len(rows)), key=lambda i: rows[i][name], reverse=not up))
    if g.rng.random() < 0.6:
        g.say("$F = $F.reset_index(drop=True)")


def split(g: Build) -> None:
    """Training and test rows; from here on values are learned from the first."""
    g.only_whole()
    _plain_level(g)
    count = len(g.table.rows)
    if count < 40:
        raise NotHere
    way = g.rng.choice(["chance", "position", "mask", "sample"])
    if way == "chance":
        from sklearn.model_selection import train_test_split

        seed = g.rng.randint(0, 9)
        g.need("from sklearn.model_selection import train_test_split")
        g.say(f"train, $F = train_test_split($F, test_size=0.3, random_state={seed})")
        first, second = train_test_split(range(count), test_size=0.3, random_state=seed)
    elif way == "position":
        edge = count * 2 // 3
        g.say(f"train, $F = $F.iloc[:{edge}].copy(), $F.iloc[{edge}:].copy()")
        first, second = list(range(edge)), list(range(edge, count))
    elif way == "mask":
        seed = g.rng.randint(0, 9)
        g.say(f"chosen = np.random.default_rng({seed}).random(len($F)) < 0.7")
        g.say("train, $F = $F[chosen].copy(), $F[~chosen].copy()")
        chosen = np.random.default_rng(seed).random(count) < 0.7
        first = np.flatnonzero(chosen).tolist()
        second = np.flatnonzero(~chosen).tolist()
    else:
        seed = g.rng.randint(0, 9)
        if not g.unique_labels:
            raise NotHere
        g.say(f"train = $F.sample(frac=0.7, random_state={seed})")
        g.say("$F = $F.drop(train.index)")
        first = pd.Series(range(count)).sample(frac=0.7, random_state=seed).tolist()
        second = [place for place in range(count) if place not in set(first)]
    if g.rng.random() < 0.5:
        g.say("train = train.copy()\n$F = $F.copy()")
    rows = g.table.rows
    g.table.split([rows[i] for i in first], [rows[i] for i in second])
    g.train = "train"


def alias(g: Build) -> None:
    """Another name for the same table, a copy that is changed, a name used again."""
    name, k = g.pick(NUMBER), g.constant()
    nullable = g.table.columns[name].nullable
    way = g.rng.choice(["same", "copy", "name", "view", "late", "key"])
    other = g.fresh("other")
    if way == "same":
        g.only_whole()
        g.say(f'{other} = $F\n{other}["{name}"] = {other}["{name}"] + {k}')
        g.table.put(name, lambda row: number(row[name]) + k, nullable=nullable)
    elif way == "copy":
        g.only_whole()
        g.say(f'{other} = $F.copy()\n{other}["{name}"] = {k}\n{other} = {other}.head()')
    elif way == "view":
        made = g.fresh("seen")
        g.only_whole()
        g.say(f'{other} = $F["{name}"].to_numpy(dtype=float).copy()\n{other} -= {k}')
        g.say(f'$F["{made}"] = {other}\n{other}[:] = 0')
        g.table.put(made, lambda row: number(row[name]) - k, nullable=nullable)
    elif way == "late":
        made, late = g.fresh("late"), g.fresh("k")
        g.say(f"{late} = {k}\ntimes = lambda v: v * {late}")
        g.each(f'$F["{made}"] = $F["{name}"].map(times)')
        if not g.indent:
            g.say(f"{late} = 1000")
        g.table.put(made, lambda row: number(row[name]) * k, nullable=nullable)
    elif way == "key":
        made = g.fresh("keyed")
        g.say(f'column = "{name}"')
        g.each(f'$F["{made}"] = $F[column] - {k}')
        g.say('column = "none"')
        g.table.put(made, lambda row: number(row[name]) - k, nullable=nullable)
    else:
        g.only_whole()
        made = g.fresh("again")
        g.say(f'x = $F["{name}"]\nx = x * {k}\nx = x + 1\n$F["{made}"] = x\nx = None')
        g.table.put(made, lambda row: number(row[name]) * k + 1, nullable=nullable)


def row_loop(g: Build) -> None:
    """A loop over rows that fills a list."""
    a, b, made, out = g.pick(*NUMERIC), g.pick(NUMBER, WHOLE), g.fresh("looped"), g.fresh("out")
    limit, k = g.among(b), g.constant()
    heads = [
        (f'for p, q in zip($F["{a}"], $F["{b}"]):', "p", "q"),
        ("for i, r in $F.iterrows():", f'r["{a}"]', f'r["{b}"]'),
        ("for r in $F.itertuples():", f"r.{a}", f"r.{b}"),
        ("for i in range(len($F)):", f'$F["{a}"].iloc[i]', f'$F["{b}"].iloc[i]'),
    ]
    head, p, q = g.rng.choice(heads)
    g.each(
        f"{out} = []\n{head}\n    if {q} > {limit}:\n        {out}.append({p} * {k})\n"
        f'    else:\n        {out}.append(0.0)\n$F["{made}"] = {out}'
    )
    nullable = g.table.columns[a].nullable
    g.table.put(
        made,
        lambda row: number(row[a]) * k if not null(row[b]) and row[b] > limit else 0.0,
        nullable=nullable,
    )


def own_function(g: Build) -> None:
    """A function of the program's own, for a cell or for a row."""
    name, made = g.pick(NUMBER, WHOLE), g.fresh("judged")
    low, high = sorted([g.among(name, 0.1, 0.4), g.among(name, 0.5, 0.9)])
    own = g.fresh("judge")
    body = f"    if v < {low}:\n        return 0\n    elif v < {high}:\n        return 1\n"
    g.top.append(f"def {own}(v):\n{body}    return 2")
    spelled = g.rng.choice(
        [
            f'$F["{name}"].apply({own})',
            f'$F["{name}"].map({own})',
            f'[{own}(v) for v in $F["{name}"]]',
            f'$F.apply(lambda r: {own}(r["{name}"]), axis=1)',
        ]
    )
    g.each(f'$F["{made}"] = {spelled}')

    def of(row: dict[str, float]) -> int:
        value = number(row[name])
        return 0 if value < low else 1 if value < high else 2

    g.table.put(made, of, WHOLE)


def own_class(g: Build) -> None:
    """A class of the program's own that learns in one method and applies in another."""
    name = g.pick(NUMBER)
    found = g.table.numbers(name)
    if len(found) < 8:
        raise NotHere
    center = float(found.mean())
    own, made = g.fresh("Center"), g.fresh("center")
    nullable = g.table.columns[name].nullable
    g.top.append(
        f"class {own}:\n    def __init__(self, column):\n        self.column = column\n\n"
        "    def fit(self, table):\n        self.mean_ = table[self.column].mean()\n"
        "        return self\n\n    def transform(self, table):\n        table = table.copy()\n"
        "        table[self.column] = table[self.column] - self.mean_\n        return table\n\n"
        "    def fit_transform(self, table):\n        return self.fit(table).transform(table)"
    )
    g.say(f'{made} = {own}("{name}")')
    if g.whole:
        g.say(
            g.rng.choice(
                [f"$F = {made}.fit_transform($F)", f"{made}.fit($F)\n$F = {made}.transform($F)"]
            )
        )
    else:
        g.say(f"$L = {made}.fit_transform($L)\n$F = {made}.transform($F)")
    g.table.put(name, lambda row: number(row[name]) - center, nullable=nullable)


def learning_function(g: Build) -> None:
    """A function that learns from its argument and applies to it."""
    g.only_whole()
    name = g.pick(NUMBER)
    found = g.table.numbers(name)
    if len(found) < 8 or float(found.std()) < 1e-6:
        raise NotHere
    own = g.fresh("normal")
    nullable = g.table.columns[name].nullable
    center, spread = float(found.mean()), float(found.std(ddof=1))
    way = g.rng.choice(["column", "table", "apply"])
    if way == "table":
        g.top.append(
            f"def {own}(table, column):\n    mean = table[column].mean()\n"
            "    table[column] = (table[column] - mean) / table[column].std()\n    return table"
        )
        g.say(f'$F = {own}($F, "{name}")')
    else:
        g.top.append(f"def {own}(x):\n    return (x - x.mean()) / x.std()")
        g.say(
            f'$F["{name}"] = {own}($F["{name}"])'
            if way == "column"
            else f'$F[["{name}"]] = $F[["{name}"]].apply({own})'
        )
    g.table.put(name, lambda row: (number(row[name]) - center) / spread, nullable=nullable)


def no_effect(g: Build) -> None:
    """Lines that people leave in: looks, counts, plots' data, assertions."""
    name = g.pick(NUMBER, WHOLE)
    g.say(
        g.rng.choice(
            [
                "print($F.shape, $F.columns.tolist()[:3])",
                f'print($F["{name}"].describe())',
                "$F.head()",
                "assert len($F) > 0",
                f'top = $F.sort_values("{name}").head(3)',
                "nulls = $F.isnull().sum()\nprint(nulls[nulls > 0])",
                f'if $F["{name}"].max() > 1e9:\n    print("large")',
                f'biggest = $F["{name}"].max()\nnotes = {{"biggest": biggest}}',
                "numeric = $F.select_dtypes(include=np.number)\nprint(numeric.shape)",
            ]
        )
    )


def breaks_law(g: Build) -> None:
    """A value that depends on the other rows for good: no flow can have it."""
    g.only_whole()
    if g.breaks or g.rng.random() < 0.5:
        raise NotHere
    name, made = g.pick(NUMBER, WHOLE), g.fresh("broken")
    key = g.pick(WORD)
    g.say(
        f'$F["{made}"] = '
        + g.rng.choice(
            [
                f'$F["{name}"].rank()',
                f'$F["{name}"].fillna(0).cumsum()',
                f'$F["{name}"].shift(1)',
                f'$F["{name}"].diff().fillna(0)',
                f'$F["{name}"].ffill()' if g.table.columns[name].nullable else "range(len($F))",
                f'$F["{name}"].rolling(3, min_periods=1).mean()',
                f'$F.groupby("{key}").cumcount()',
                f'$F.groupby("{key}")["{name}"].rank()',
                f'np.argsort($F["{name}"].to_numpy())',
                f'$F["{name}"].to_numpy()[::-1]',
                f'sorted($F["{name}"].fillna(0))',
                "np.random.default_rng(0).normal(size=len($F))",
                f'$F["{name}"].duplicated()',
            ]
        )
    )
    g.breaks = True
    g.must.append(made)
    g.table.put(made, lambda row: math.nan, nullable=True)


def _plain_level(g: Build) -> None:
    if g.indent:
        raise NotHere


def _target(g: Build) -> None:
    if TARGET not in {column.kind for column in g.table.columns.values()}:
        raise NotHere


IDIOMS = [
    (keep_rows, 2), (keep_known, 2), (keep_learned, 1), (keep_by_target, 2), (drop_columns, 3),
    (rename, 2), (reorder, 2), (split, 4), (alias, 5), (row_loop, 4), (own_function, 3),
    (own_class, 2), (learning_function, 3), (no_effect, 3), (breaks_law, 1),
]  # fmt: skip
