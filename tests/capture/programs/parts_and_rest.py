# Two column transformers: what one leaves over passes through, what the other leaves over goes.
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

df = pd.read_csv(Path(__file__).with_name("orders.csv"))
y = df.pop("returned")
used = df[["amount", "items", "channel", "city"]]
rest_stays = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["channel"]),
    (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]),
    remainder="passthrough",
)
rest_goes = ColumnTransformer([("scale", StandardScaler(), ["amount"])], remainder="drop")
X = np.hstack([rest_stays.fit_transform(used), rest_goes.fit_transform(df) ** 2])
model = LinearRegression().fit(X, y)

estimates = model.predict(np.hstack([rest_stays.transform(used), rest_goes.transform(df) ** 2]))
