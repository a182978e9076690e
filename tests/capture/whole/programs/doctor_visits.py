"""RAND health insurance experiment: how often do people see a doctor?

A course's script: a Poisson regression by formula, compared with a straight line and with the mean.
"""
import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

SEED = 7


def mean_deviance(y, mu):
    """Poisson deviance per observation."""
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(y > 0, y * np.log(y / mu), 0)
    return 2 * np.mean(part - (y - mu))


def describe(frame: pd.DataFrame) -> None:
    print(f"{frame.shape[0]} people, {frame.shape[1]} columns")
    for column in frame:
        values = frame[column]
        print(f"  {column:<10} {values.mean():8.3f} +- {values.std():7.3f}")


people = sm.datasets.randhie.load_pandas().data
people = people.sample(n=1500, random_state=SEED).reset_index(drop=True)
describe(people)
print(people.groupby("physlm")["mdvis"].mean().round(2))

# --- features
# four answers to one question become one column again
people["health"] = "excellent"
people.loc[people["hlthg"] == 1, "health"] = "good"
people.loc[people["hlthf"] == 1, "health"] = "fair"
people.loc[people["hlthp"] == 1, "health"] = "poor"
print(people["health"].value_counts())

# a few people report very many diseases
cap = people["disea"].quantile(0.95)
people["disea"] = people["disea"].clip(upper=cap)
people["many"] = people["disea"] > people["disea"].median()
people["limited"] = people["physlm"].round().astype(int)

formula = "mdvis ~ lncoins + idp + np.sqrt(disea) + limited:disea + C(health) + many"
holdout = people.index % 4 == 0
train, test = people[~holdout], people[holdout]

# --- models
poisson = smf.glm(formula, data=train, family=sm.families.Poisson()).fit()
print(poisson.params.round(3))
line = smf.ols(formula, data=train).fit()
print("r squared %.3f" % line.rsquared)

expected = {
    "mean": np.full(len(test), train["mdvis"].mean()),
    "line": line.predict(test).clip(lower=0.1),
    "poisson": poisson.predict(test),
}
for name, mu in expected.items():
    print(f"{name:>8}: {mean_deviance(test['mdvis'], mu):.3f}")

visits = expected["poisson"].round(3)
