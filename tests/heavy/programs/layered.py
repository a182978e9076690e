"""A Keras network on scaled columns; its last layer is a class of the program."""
from pathlib import Path

import keras
import pandas as pd
from sklearn.preprocessing import StandardScaler


class Scaled(keras.layers.Layer):
    """Everything times a learned number."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(1,), initializer="ones")

    def call(self, inputs):
        return inputs * self.factor


keras.utils.set_random_seed(0)
DATA = Path(__file__).parents[2] / "capture" / "programs"
df = pd.read_csv(DATA / "passengers.csv")
df["age"] = df["age"].fillna(df["age"].mean())
X = StandardScaler().fit_transform(df[["age", "pclass", "fare"]])
y = df["survived"].values

model = keras.Sequential(
    [
        keras.layers.Input((3,)),
        keras.layers.Dense(6, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
        Scaled(),
    ]
)
model.compile(optimizer="adam", loss="binary_crossentropy")
model.fit(X, y, epochs=2, batch_size=32, verbose=0)
scores = model.predict(X, verbose=0)[:, 0]
