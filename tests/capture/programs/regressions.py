# Linear and logistic regressions of statsmodels, by matrix and by formula.
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

df = pd.read_csv(Path(__file__).with_name("houses.csv"))
df = df.dropna(subset=["price"])
df["age"] = 2020 - df["year"]
X = sm.add_constant(df[["area", "age"]])
line = sm.OLS(np.log(df["price"]), X).fit()
print(line.params.round(4).to_dict())
by_matrix = np.exp(line.predict(X))
dear = (df["price"] > df["price"].median()).astype(int)
chance = sm.Logit(dear, X).fit(disp=0, method="newton", maxiter=100).predict(X)
fitted = smf.ols("np.log(price) ~ area + I(rooms ** 2) + C(quality)", data=df).fit()
by_formula = fitted.predict(df)
