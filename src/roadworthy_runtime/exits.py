"""By which exit codes a worker and a nursery say that it is of no use to start them again."""

UNFIT = 3
"""Of a worker that can't serve this flow here, however often it is started."""

UNFORKABLE = 4
"""Of a nursery that can't fork workers here; why is on the last line of its log."""
