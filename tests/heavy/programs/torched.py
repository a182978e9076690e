"""A network of its own class, trained in batches."""
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self, width, hidden=8):
        super().__init__()
        self.inner = nn.Linear(width, hidden)
        self.drop = nn.Dropout(0.2)
        self.outer = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.outer(self.drop(torch.relu(self.inner(x)))).squeeze(1)


DATA = Path(__file__).parents[2] / "capture" / "programs"
df = pd.read_csv(DATA / "passengers.csv")
df["age"] = df["age"].fillna(df["age"].median())
df["sex"] = (df["sex"] == "female").astype(int)
features = ["sex", "age", "pclass", "fare"]
scaler = StandardScaler()
X = torch.tensor(scaler.fit_transform(df[features]), dtype=torch.float32)
y = torch.tensor(df["survived"].values, dtype=torch.float32)

net = Net(len(features))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
loss_of = nn.BCEWithLogitsLoss()
for epoch in range(3):
    net.train()
    for inputs, targets in DataLoader(TensorDataset(X, y), batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = loss_of(net(inputs), targets)
        loss.backward()
        optimizer.step()

net.eval()
with torch.no_grad():
    scores = torch.sigmoid(net(X)).numpy()
