"""Pure numerics on numbers that somebody else collected: standard library and NumPy only.

In come sequences of numbers; out go estimates. No clock, no file, no network.
"""
