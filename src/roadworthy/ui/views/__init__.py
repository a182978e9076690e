"""Views: pure functions from core values to the dictionary that a template shows.

Nothing here reads a clock, a store or a network: the instant and everything else is passed
in, so that each view is tested without HTTP.
"""
