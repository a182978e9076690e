"""Credit card expenses (Greene): by formula, weighted, with an interval for each household."""
import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

cards = sm.datasets.ccard.load_pandas().data
cards.columns = cards.columns.str.lower()
cards = cards.query("avgexp > 0")
cards["owner"] = cards["ownrent"].map({1: "owner", 0: "renter"})
cards["generation"] = pd.cut(cards["age"], [0, 25, 35, np.inf], labels=["young", "middle", "old"])
cards["rich"] = cards["income"] > cards["income"].quantile(0.75)
cards["income_c"] = cards["income"] - cards["income"].mean()

print(cards.groupby("generation", observed=True)["avgexp"].describe().round(1))

ols = smf.ols("avgexp ~ age + owner + income + I(income**2)", data=cards).fit()
print(ols.params.round(2))
# the variance grows with the income: weighted least squares (Greene, 11.3)
weights = 1.0 / cards["income"] ** 2
wls = smf.wls(
    "np.log(avgexp) ~ income_c * C(owner, Treatment('renter')) + I(income_c ** 2)"
    " + C(generation) + rich + center(age)",
    data=cards, weights=weights,
).fit(cov_type="HC1")
print(wls.summary().tables[0].as_text().count("\n"))
print("AIC", round(ols.aic, 1), round(wls.aic, 1))

frame = wls.get_prediction(cards).summary_frame(alpha=0.1)
cards["expected"] = np.exp(frame["mean"])
cards["low"] = np.exp(frame["mean_ci_lower"])
cards["high"] = np.exp(frame["mean_ci_upper"])
unusual = cards[(cards["avgexp"] > 3 * cards["high"])]
print(len(unusual), "unusual households")
expected, low, high = cards["expected"], cards["low"], cards["high"]
