"""What runs inside other people's environments: recorder, flow support, verifier, worker.

In comes a program to record, or a flow directory; out go files that Roadworthy reads, and answers.
It uses the standard library, and NumPy, pandas and open state formats where that environment has
them. It imports nothing of ``roadworthy``.
"""
