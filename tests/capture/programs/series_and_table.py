"""Answers as a column of numbers and as a table ready to be handed in."""
from pathlib import Path

import pandas as pd

orders = pd.read_csv(Path(__file__).with_name("orders.csv"))
spread = orders["amount"].std()
scores = orders["amount"] / spread
large = orders["items"] > 3
handed_in = pd.DataFrame({"order": orders["order"], "score": scores * 2, "large": large})
