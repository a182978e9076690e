"""California schools 1998 - do smaller classes help?  (analyst's notebook exported to a script)"""
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

raw = sm.datasets.star98.load_pandas().data
schools = raw.rename(columns=str.lower)
schools["share_above"] = schools["nabove"] / (schools["nabove"] + schools["nbelow"])

# %% demographic profile: first principal components
demographic = ["lowinc", "perasian", "perblack", "perhisp", "perminte"]
scaler = StandardScaler()
scaled = scaler.fit_transform(schools[demographic])
pca = PCA(n_components=2, svd_solver="full").fit(scaled)
print("explained", pca.explained_variance_ratio_.round(3))
components = pca.transform(scaled)
schools["profile_1"] = components[:, 0]
schools["profile_2"] = components[:, 1]

# %% groups of similar districts
km = KMeans(n_clusters=4, n_init=3, random_state=0)
schools["cluster"] = km.fit_predict(components)
print(schools.groupby("cluster")[["lowinc", "ptratio", "share_above"]].mean().round(2))
fig, ax = plt.subplots()
ax.scatter(schools["profile_1"], schools["profile_2"], c=schools["cluster"])
plt.close("all")

# %% class size relative to similar districts
typical = schools.groupby("cluster").agg(ptratio_typical=("ptratio", "median"),
                                          salary_typical=("avsalk", "median")).reset_index()
schools = schools.merge(typical, on="cluster", how="left")
schools["crowded"] = schools["ptratio"] - schools["ptratio_typical"]
schools["well_paid"] = (schools["avsalk"] > schools["salary_typical"]).astype(int)
low, high = np.percentile(schools["perspenk"], [5, 95])
schools["spending"] = schools["perspenk"].clip(lower=low, upper=high)

dummies = pd.get_dummies(schools["cluster"], prefix="group", drop_first=True)
X = pd.concat([schools[["profile_1", "profile_2", "crowded", "well_paid", "spending", "avyrsexp"]],
               dummies], axis=1).astype(float)
y = schools["share_above"]
reg = LinearRegression().fit(X, y)
expected = reg.predict(X)
schools["surprise"] = y - expected
print("R2 %.3f" % reg.score(X, y))
print(schools.nlargest(3, "surprise")[["lowinc", "ptratio", "surprise"]].round(2))
