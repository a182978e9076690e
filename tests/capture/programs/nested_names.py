# The names stand in a list of their own: pandas makes labels of one level of them.
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris

iris = load_iris()
df = pd.DataFrame(iris.data, columns=[iris.feature_names])
model = KMeans(n_clusters=3, random_state=0, n_init=3).fit(df)
groups = model.predict(df)
