"""The pages: what people see of Roadworthy in a browser, rendered by the server.

In come core values, read through the functions of ``PageData``; out goes HTML that works
without JavaScript, under a strict content policy. Views are pure functions from values to
what a template shows; only ``app`` speaks HTTP. This room knows no storage, no network and
no operation: it calls what it was given.
"""

from roadworthy.ui.app import mount_pages
from roadworthy.ui.data import PageData, Prediction, Problem
from roadworthy.ui.gateway import GatewayClient
from roadworthy.ui.sources import page_data
from roadworthy.ui.traffic import Traffic

__all__ = [
    "GatewayClient",
    "PageData",
    "Prediction",
    "Problem",
    "Traffic",
    "mount_pages",
    "page_data",
]
