"""Frozen values and pure rules: the vocabulary of Roadworthy as types.

In comes data that somebody else read; out goes a decision or a new value. Nothing here
looks at a clock, a file, a network or an environment.
"""
