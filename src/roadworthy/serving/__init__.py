"""The data plane: a request in, the answer of the right release out, with the log to prove it.

In come HTTP requests and the routing table; out go answers, the prediction log and the state
of a host. Here live the gateway (no pandas, no model code, no pickle) and the agent that owns
the gateway's and the workers' processes. It may not touch metadata: what it has to know is in
the table, and the flow's files are fetched by a function that is passed in.
"""
