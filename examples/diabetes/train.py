"""How far will a patient's diabetes have progressed in a year?"""

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

patients = load_diabetes(as_frame=True, scaled=False).frame
print(patients.describe().T[["mean", "min", "max"]].round(1))

df = patients.copy()
df["sex"] = df["sex"].map({1.0: 0, 2.0: 1})
df["obese"] = (df["bmi"] >= 30).astype(int)
df["decade"] = pd.cut(df["age"], bins=[0, 30, 40, 50, 60, 120], labels=False)
df["ldl_to_hdl"] = df["s2"] / df["s3"]
df["log_glucose"] = np.log(df["s6"])

# A few triglyceride values are far out: keep them within what most patients have.
low, high = df["s5"].quantile([0.01, 0.99])
df["s5"] = df["s5"].clip(low, high)
df["bmi_above_usual"] = df["bmi"] - df["bmi"].mean()

y = df.pop("target")
X_train, X_test, y_train, y_test = train_test_split(df, y, test_size=0.2, random_state=1)

scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_test = scaler.transform(X_test)

model = RidgeCV(alphas=np.logspace(-2, 3, 30))
model.fit(X_train, y_train)
predicted = model.predict(X_test)
print(f"alpha {model.alpha_:.2f}, R2 {r2_score(y_test, predicted):.3f}")
print(f"mean absolute error {mean_absolute_error(y_test, predicted):.1f}")

progression = model.predict(scaler.transform(df))
