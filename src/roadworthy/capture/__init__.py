"""From a creation program to its flow: recorded, decided, emitted, verified, reported.

In comes a program and the names of its input and outputs; out comes an emitted directory that runs
without Roadworthy, with its report, run and checks. The program runs in its own environment
(``roadworthy_runtime``); nothing here imports it or loads what it learned.
"""

from roadworthy.capture.program import Captured, CaptureRequest, capture_program

__all__ = ["CaptureRequest", "Captured", "capture_program"]
