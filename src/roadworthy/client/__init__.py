"""What a program uses to talk to a running Roadworthy: to its gateway and its control plane.

In come rows, names and files; out go answers and core values, or Roadworthy's own errors.
Nothing here starts a process or knows how the other side keeps anything.
"""
