"""Running a release on data: large batches, bounded in memory, resumed after a kill.

In come tables in files or object stores; out go the same rows with their answers, each exactly
once. A release runs in its own environment, in worker processes; nothing here changes what is
deployed, and no model code is loaded here.
"""
