"""What makes code run elsewhere: the runtime's copy, environments, one file a technology.

In come locks, requirements and interpreters that are not ours; out go paths that a process can
be started with. Nothing here knows a model, a release or a deployment.
"""
