"""The control plane over HTTP: routes only.

In come requests; each is parsed, handed to a use case of ``operations`` or ``registry``, and
its value or error written out as JSON. Nothing is decided here.
"""
