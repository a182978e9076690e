"""A dictionary of encoders, scaled columns, powers, and a table of dummies joined on."""
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import LabelEncoder, MinMaxScaler, OneHotEncoder, PolynomialFeatures

df = pd.read_csv(Path(__file__).with_name("orders.csv"))
encoders = {}
for column in ["city"]:
    encoders[column] = LabelEncoder()
    df[column] = encoders[column].fit_transform(df[column])
df[["amount", "items"]] = MinMaxScaler().fit_transform(df[["amount", "items"]])
powers = PolynomialFeatures(2, include_bias=False)
P = pd.DataFrame(powers.fit_transform(df[["amount", "items"]]), columns=powers.get_feature_names_out())
encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
hot = pd.DataFrame(encoder.fit_transform(df[["channel"]]), columns=encoder.get_feature_names_out())
X = pd.concat([df[["city"]], P], axis=1).join(hot)
model = LinearRegression().fit(X, df["returned"])
scores = model.predict(X)
