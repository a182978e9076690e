"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

# A loaded machine makes no test fail. CI tries the same examples each time, everyone else others.
settings.register_profile(
    "roadworthy",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
)
settings.load_profile("roadworthy")
