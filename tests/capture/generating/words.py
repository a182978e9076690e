"""Idioms on words, dates and groups: encoders, look-ups, tables by key, parts of texts."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from typing import Any

import numpy as np
from tests.capture.generating.building import (
    CODE,
    DATE,
    FLAG,
    NUMBER,
    TARGET,
    WHOLE,
    WORD,
    Build,
    Fails,
    NotHere,
    Row,
    null,
)
from tests.capture.generating.numbers import STATISTICS


def fill_word(g: Build) -> None:
    """The most frequent word, or an agreed one, where there is none."""
    name = g.pick(WORD, nullable=True)
    counts = Counter(g.table.known(name))
    if not counts:
        raise NotHere
    if g.rng.random() < 0.6:
        by = min(counts, key=lambda word: (-counts[word], word))
        spelled = g.rng.choice([f'$L["{name}"].mode()[0]', f'$L["{name}"].mode().iloc[0]'])
        if not g.whole:
            word = g.fresh("usual")
            g.say(f"{word} = {spelled}")
            spelled = word
    else:
        by, spelled = "none", '"none"'
    g.each(f'$F["{name}"] = $F["{name}"].fillna({spelled})')
    g.table.put(name, lambda row: by if null(row[name]) else row[name], WORD)


def dummies(g: Build) -> None:
    """``get_dummies`` on one table, or on both with the columns of the first."""
    names = g.some(1, 2, WORD)
    first = g.rng.random() < 0.4
    how = ", drop_first=True" if first else ""
    levels = {name: g.table.levels(name) for name in names}
    made = [(n, level) for n in names for level in levels[n][1 if first else 0 :]]
    if any(f"{n}_{level}" in g.table.columns for n, level in made):
        raise NotHere
    if g.whole:
        how += g.rng.choice(["", ", dtype=int", ", dtype=float"])
        if len(names) == 1 and g.rng.random() < 0.4:
            name = names[0]
            prefix = g.rng.choice([f'prefix="{name}"', f'prefix="{name}", prefix_sep="_"'])
            coded = g.fresh("coded")
            g.say(f'{coded} = pd.get_dummies($F["{name}"], {prefix}{how})')
            g.say(
                g.rng.choice(
                    [
                        f'$F = pd.concat([$F, {coded}], axis=1).drop("{name}", axis=1)',
                        f'$F = $F.join({coded})\n$F = $F.drop(columns=["{name}"])',
                    ]
                )
            )
        else:
            g.say(f"$F = pd.get_dummies($F, columns={names!r}{how})")
    elif g.rng.random() < 0.5:
        g.say(f"$L = pd.get_dummies($L, columns={names!r}{how})")
        g.say(f"$F = pd.get_dummies($F, columns={names!r}{how})")
        g.say("$F = $F.reindex(columns=$L.columns, fill_value=0)")
    else:
        both = g.fresh("both")
        levels = {n: sorted({r[n] for r in g.table.rows if not null(r[n])}) for n in names}
        made = [(n, level) for n in names for level in levels[n][1 if first else 0 :]]
        g.say(f"{both} = pd.get_dummies(pd.concat([$L, $F]), columns={names!r}{how})")
        g.say(f"$L, $F = {both}.iloc[:len($L)].copy(), {both}.iloc[len($L):].copy()")
    for name, level in made:
        _level(g, name, level)
    g.table.drop(names)


def _level(g: Build, name: str, level: Any) -> None:
    g.table.put(f"{name}_{level}", lambda row: int(row[name] == level), FLAG)


def label_encoder(g: Build) -> None:
    """One encoder, fitted again for each column."""
    names = g.some(1, 3, WORD, nullable=False)
    if not g.whole and any(
        row[name] not in set(g.table.known(name)) for name in names for row in g.table.rows
    ):
        raise NotHere
    g.need("from sklearn.preprocessing import LabelEncoder")
    g.say("encoder = LabelEncoder()")
    if len(names) == 1 and g.whole:
        g.say(f'$F["{names[0]}"] = encoder.fit_transform($F["{names[0]}"])')
    else:
        g.say(f"for name in {names!r}:")
        if g.rng.random() < 0.5:
            g.say("    encoder = LabelEncoder()")
        if g.whole and g.rng.random() < 0.5:
            g.say("    encoder.fit($F[name])\n    $F[name] = encoder.transform($F[name])")
        else:
            g.say("    $L[name] = encoder.fit_transform($L[name])")
        if not g.whole:
            g.say("    $F[name] = encoder.transform($F[name])")
    for name in names:
        _coded(g, name, g.table.levels(name), None)


def ordinal(g: Build) -> None:
    """scikit-learn's OrdinalEncoder with a code for what it never saw."""
    names = g.some(1, 2, WORD, nullable=False)
    g.need("from sklearn.preprocessing import OrdinalEncoder")
    made = g.fresh("encoder")
    g.say(f'{made} = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)')
    g.say(f"$L[{names!r}] = {made}.fit_transform($L[{names!r}])")
    if not g.whole:
        g.say(f"$F[{names!r}] = {made}.transform($F[{names!r}])")
    for name in names:
        _coded(g, name, g.table.levels(name), -1)


def codes(g: Build) -> None:
    """``cat.codes``, ``factorize`` and an index of one's own."""
    g.only_whole()
    name = g.pick(WORD)
    way = g.rng.choice(["codes", "factorize", "pair", "index", "loop"])
    levels = g.table.levels(name)
    if way == "codes":
        g.say(f'$F["{name}"] = $F["{name}"].astype("category").cat.codes')
    elif way == "loop":
        g.say(f'for name in ["{name}"]:\n    $F[name] = $F[name].astype("category")')
        g.say(f'$F["{name}"] = $F["{name}"].cat.codes')
    elif way == "index":
        g.say(f'places = {{w: i for i, w in enumerate(sorted($F["{name}"].dropna().unique()))}}')
        g.say(f'$F["{name}"] = $F["{name}"].map(places).fillna(-1)')
    else:
        levels = list(dict.fromkeys(g.table.known(name)))
        g.say(
            f'$F["{name}"], words = pd.factorize($F["{name}"])'
            if way == "pair"
            else f'$F["{name}"] = pd.factorize($F["{name}"])[0]'
        )
    _coded(g, name, levels, -1)


def _coded(g: Build, name: str, levels: list[Any], unseen: int | None) -> None:
    def code(row: Row) -> int:
        if row[name] in levels:
            return levels.index(row[name])
        if unseen is None:
            raise Fails
        return unseen

    g.table.put(name, code, WHOLE)


def one_hot(g: Build) -> None:
    """scikit-learn's OneHotEncoder, put back beside the other columns."""
    name = g.pick(WORD, nullable=False)
    levels = g.table.levels(name)
    if any(f"{name}_{level}" in g.table.columns for level in levels):
        raise NotHere
    g.need("from sklearn.preprocessing import OneHotEncoder")
    made = g.fresh("encoder")
    g.say(f'{made} = OneHotEncoder(handle_unknown="ignore", sparse_output=False)')
    g.say(f'{made}.fit($L[["{name}"]])')
    g.each(
        f'hot = pd.DataFrame({made}.transform($F[["{name}"]]), index=$F.index, '
        f"columns={made}.get_feature_names_out())\n$F = pd.concat([$F, hot], axis=1)",
        changes=False,
    )
    for level in levels:
        _level(g, name, level)


def mapped(g: Build) -> None:
    """``map`` and ``replace`` with a table in the program, changed later on."""
    name = g.pick(WORD)
    levels = g.table.levels(name)
    if len(levels) < 2:
        raise NotHere
    some = g.rng.sample(levels, max(1, len(levels) - 1))
    if g.rng.random() < 0.4:
        known = {level: f"w{i % 2}" for i, level in enumerate(some)}
        g.each(f'$F["{name}"] = $F["{name}"].replace({known!r})')
        nullable = g.table.columns[name].nullable
        g.table.put(name, lambda row: known.get(row[name], row[name]), WORD, nullable)
        return
    marks = {level: i + 1 for i, level in enumerate(some)}
    made, table = g.fresh("mark"), g.fresh("marks")
    g.say(f"{table} = {marks!r}")
    way = g.rng.choice(["map", "lambda", "get", "filled"])
    spelled = {
        "map": f'$F["{name}"].map({table})',
        "lambda": f'$F["{name}"].map(lambda w: {table}.get(w, 0))',
        "get": f'[{table}.get(w, 0) for w in $F["{name}"]]',
        "filled": f'$F["{name}"].map({table}).fillna(0).astype(int)',
    }[way]
    g.each(f'$F["{made}"] = {spelled}')
    if g.rng.random() < 0.4 and not g.indent:
        g.say(g.rng.choice([f"{table}.clear()", f'{table}["{some[0]}"] = 99', f"{table} = None"]))
    empty = math.nan if way == "map" else 0
    g.table.put(made, lambda row: marks.get(row[name], empty), nullable=way == "map")


def rare(g: Build) -> None:
    """Words that creation has seldom become one."""
    name = g.pick(WORD)
    counts = Counter(g.table.known(name))
    least = g.rng.randint(3, 8)
    seldom = {word for word, count in counts.items() if count < least}
    found, nullable = g.fresh("counts"), g.table.columns[name].nullable
    g.say(f'{found} = $L["{name}"].value_counts()')
    if g.rng.random() < 0.5:
        g.say(f"rare = {found}[{found} < {least}].index")
        g.each(f'$F.loc[$F["{name}"].isin(rare), "{name}"] = "other"')
        g.table.put(name, lambda row: "other" if row[name] in seldom else row[name], WORD, nullable)
        return
    kept = set(counts) - seldom
    g.say(f"common = {found}[{found} >= {least}].index")
    g.each(
        g.rng.choice(
            [
                f'$F["{name}"] = $F["{name}"].where($F["{name}"].isin(common), "other")',
                f'$F["{name}"] = $F["{name}"].apply(lambda w: w if w in common else "other")',
            ]
        )
    )
    g.table.put(name, lambda row: row[name] if row[name] in kept else "other", WORD)


def group_table(g: Build) -> None:
    """A statistic by key, merged or mapped back."""
    key, name = g.pick(WORD), g.pick(NUMBER, WHOLE)
    what = g.rng.choice(["mean", "median", "max", "min", "count", "size", "nunique"])
    groups: dict[Any, list[float]] = {}
    for row in g.table.learn:
        if not null(row[key]):
            groups.setdefault(row[key], []).append(row[name])
    found = {level: _aggregate(what, values) for level, values in groups.items()}
    made, table = g.fresh(f"{name}_{what}"), g.fresh("table")
    way = g.rng.choice(["map", "merge", "reset", "transform"])
    if way == "transform" and (not g.whole or what == "size"):
        way = "map"
    grouped = f'$L.groupby("{key}")["{name}"]'
    if way == "transform":
        g.say(f'$F["{made}"] = {grouped}.transform("{what}")')
    elif way == "map":
        spelled = f"{grouped}.{what}()" if g.rng.random() < 0.6 else f'{grouped}.agg("{what}")'
        if g.whole:
            g.say(f'$F["{made}"] = $F["{key}"].map({spelled})')
        else:
            g.say(f"{table} = {spelled}")
            g.each(f'$F["{made}"] = $F["{key}"].map({table})')
    elif way == "merge":
        g.say(f'{table} = {grouped}.{what}().rename("{made}").reset_index()')
        g.each(f'$F = $F.merge({table}, on="{key}", how="left")', changes=False)
    else:
        g.say(f'{table} = $L.groupby("{key}").agg({made}=("{name}", "{what}")).reset_index()')
        g.each(f'$F = pd.merge($F, {table}, how="left", on="{key}")', changes=False)
    g.table.put(made, lambda row: found.get(row[key], math.nan), nullable=True)


def _aggregate(what: str, values: list[float]) -> float:
    known = [value for value in values if not null(value)]
    if what == "size":
        return len(values)
    if what == "count":
        return len(known)
    if what == "nunique":
        return len(set(known))
    return STATISTICS[what](np.array(known, dtype=float)) if known else math.nan


def frequency(g: Build) -> None:
    """How often creation has this word."""
    name, made = g.pick(WORD), g.fresh("often")
    counts = Counter(g.table.known(name))
    share = g.rng.random() < 0.5
    total = sum(counts.values())
    spelled = f'$L["{name}"].value_counts({"normalize=True" if share else ""})'
    if not g.whole:
        g.say(f"often = {spelled}")
        spelled = "often"
    filled = ".fillna(0)" if g.rng.random() < 0.5 else ""
    g.each(f'$F["{made}"] = $F["{name}"].map({spelled}){filled}')

    def of(row: Row) -> float:
        if row[name] in counts:
            return counts[row[name]] / total if share else counts[row[name]]
        return 0.0 if filled else math.nan

    g.table.put(made, of, nullable=not filled)


def target_mean(g: Build) -> None:
    """The target's mean by word, drawn towards the overall one."""
    if TARGET not in {column.kind for column in g.table.columns.values()}:
        raise NotHere
    name, made = g.pick(WORD), g.fresh("risk")
    weight = g.rng.choice([0, 5])
    groups: dict[Any, list[float]] = {}
    for row in g.table.learn:
        if not null(row[name]):
            groups.setdefault(row[name], []).append(row["y"])
    prior = float(np.mean([row["y"] for row in g.table.learn]))
    found = {
        level: (sum(values) + weight * prior) / (len(values) + weight)
        for level, values in groups.items()
    }
    g.say('prior = $L["y"].mean()')
    if weight:
        g.say(f'stats = $L.groupby("{name}")["y"].agg(["sum", "count"])')
        g.say(f'risk = (stats["sum"] + {weight} * prior) / (stats["count"] + {weight})')
    else:
        g.say(f'risk = $L.groupby("{name}")["y"].mean()')
    g.each(f'$F["{made}"] = $F["{name}"].map(risk).fillna(prior)')
    g.table.put(made, lambda row: found.get(row[name], prior))


def date_part(g: Build) -> None:
    """Parts of a date, and days since creation's first."""
    name, made = g.pick(DATE), g.fresh("when")
    day = datetime.date.fromisoformat
    first = min(day(value) for value in g.table.known(name))
    parts: list[tuple[str, Any]] = [
        (".dt.month", lambda d: d.month),
        (".dt.year", lambda d: d.year),
        (".dt.dayofweek", lambda d: d.weekday()),
        (".dt.day", lambda d: d.day),
    ]
    if g.whole and g.rng.random() < 0.4:
        g.say(f'moment = pd.to_datetime($F["{name}"])')
        g.say(f'$F["{made}"] = (moment - moment.min()).dt.days')
        g.table.put(made, lambda row: (day(row[name]) - first).days, WHOLE)
        return
    text, of = g.rng.choice(parts)
    g.each(f'$F["{made}"] = pd.to_datetime($F["{name}"]){text}')
    g.table.put(made, lambda row: of(day(row[name])), WHOLE)


def text_part(g: Build) -> None:
    """Parts of codes and words."""
    made = g.fresh("part")
    if g.rng.random() < 0.6:
        name = g.pick(CODE)
        texts: list[tuple[str, Any, str]] = [
            (f'$F["{name}"].str[:2]', lambda v: v[:2], WORD),
            (f'$F["{name}"].str.split("-").str[1].astype(int)', lambda v: int(v[3:]), WHOLE),
            (f'$F["{name}"].str.extract(r"(\\d+)")[0].astype(int)', lambda v: int(v[3:]), WHOLE),
            (f'$F["{name}"].str.extract(r"([A-Z]+)-", expand=False)', lambda v: v[:2], WORD),
            (f'$F["{name}"].apply(lambda v: int(v.split("-")[1]))', lambda v: int(v[3:]), WHOLE),
            (f'$F["{name}"].str.contains("A").astype(int)', lambda v: int("A" in v), FLAG),
            (f'[v.lower()[0] for v in $F["{name}"]]', lambda v: v.lower()[0], WORD),
        ]
    else:
        name = g.pick(WORD, nullable=False)
        texts = [
            (f'$F["{name}"].str.len()', len, WHOLE),
            (f'$F["{name}"].str.upper().str[0]', lambda v: v.upper()[0], WORD),
            (f'$F["{name}"].map(len)', len, WHOLE),
            (f'$F["{name}"].str.lower()', lambda v: v.lower(), WORD),
        ]
    text, of, kind = g.rng.choice(texts)
    g.each(f'$F["{made}"] = {text}')
    g.table.put(made, lambda row: of(row[name]), kind)


IDIOMS = [
    (fill_word, 4), (dummies, 6), (label_encoder, 4), (ordinal, 2), (codes, 4), (one_hot, 2),
    (mapped, 4), (rare, 3), (group_table, 5), (frequency, 2), (target_mean, 2), (date_part, 3),
    (text_part, 4),
]  # fmt: skip
