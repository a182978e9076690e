"""Roadworthy: from the program where a model was created to certified, reversible production."""
