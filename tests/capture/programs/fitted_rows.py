# Results of statsmodels that are asked without rows: those they were fitted on are meant.
from pathlib import Path

import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

df = pd.read_csv(Path(__file__).with_name("houses.csv"))
df = df[df["price"].notna()]
X = sm.add_constant(df[["area", "rooms", "year"]])
line = sm.OLS(df["price"], X).fit()
print(line.params.round(4).to_dict())
prices = line.predict()

dear = (df["price"] > df["price"].median()).astype(int)
model = sm.Logit(dear, X.to_numpy())
found = model.fit(disp=0, maxiter=100)
likely = found.predict() > 0.5
by_formula = smf.ols("price ~ area + C(zone)", data=df).fit().predict()
