"""A table whose columns lie in memory as rows do: sums over a request's differ in the last digit."""
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

df = load_diabetes(as_frame=True).frame
df = df[df["bmi"] <= 0.1]
X = df.drop(columns=["target"])
model = Ridge().fit(X, df["target"])
scores = model.predict(X)
