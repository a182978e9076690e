# Who voted for Dole in 1996?  American National Election Study, logit with statsmodels
import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

data = sm.datasets.anes96.load_pandas().data
data.columns = data.columns.str.lower()

# survey weights are not used here
data = data[data["age"] < 85]
data["income_mid"] = data["income"].replace(dict(zip(range(1, 25), [
    1.5, 4, 6, 8, 9.5, 10.5, 11.5, 12.5, 13.5, 14.5, 16, 18.5, 21, 23.5, 27.5, 32.5, 37.5,
    42.5, 47.5, 55, 67.5, 82.5, 97.5, 115])))
data["log_income"] = np.log(data["income_mid"])
data["party"] = np.select(
    [data["pid"] <= 2, data["pid"] == 3], ["democrat", "independent"], default="republican")
data["news"] = pd.cut(data["tvnews"], [-1, 0, 3, 6, 7], labels=["never", "some", "most", "daily"])
data["news"] = data["news"].astype(str)
data["closer_to_dole"] = (data["selflr"] - data["dolelr"]).abs() < (data["selflr"] - data["clinlr"]).abs()
data["age_c"] = data["age"] - data["age"].mean()
data["urban"] = data["popul"] > data["popul"].median()

train = data.sample(frac=0.7, random_state=1996)
test = data.drop(train.index)

results = smf.logit(
    "vote ~ C(party) + C(news) + closer_to_dole + age_c + I(age_c ** 2) + log_income + educ + urban",
    data=train.assign(urban=train["urban"].astype(int),
                      closer_to_dole=train["closer_to_dole"].astype(int)),
).fit(disp=0)
print(results.params.round(3))
print("pseudo R2", round(results.prsquared, 3))

test = test.assign(urban=test["urban"].astype(int),
                   closer_to_dole=test["closer_to_dole"].astype(int))
dole = results.predict(test)
confusion = pd.crosstab(test["vote"], dole > 0.5)
print(confusion)
