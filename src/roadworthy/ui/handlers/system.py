"""What runs, what it wrote, what is wrong, and how it is set."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from roadworthy.ui.guard import signed_in
from roadworthy.ui.site import Site
from roadworthy.ui.views.system import (
    LINES,
    DoctorFacts,
    LogFileFacts,
    SettingsFacts,
    SystemFacts,
    doctor_page,
    log_file_page,
    settings_page,
    system_page,
)


def routes(site: Site) -> list[BaseRoute]:
    """Where the pages of the system are."""
    data = site.data

    def processes(request: Request) -> Response:
        facts = SystemFacts(
            status=data.status(),
            deployments=data.deployments(),
            logs=data.log_names(),
            control=data.control,
            gateway=data.gateway,
            now=data.now(),
            signed_in=signed_in(request),
        )
        return site.page("system.html", system_page(facts))

    def log_file(request: Request) -> Response:
        name = request.path_params["name"]
        facts = LogFileFacts(
            name=name,
            lines=data.read_log(name, LINES),
            now=data.now(),
            signed_in=signed_in(request),
        )
        return site.page("log_file.html", log_file_page(facts))

    def doctor(request: Request) -> Response:
        thorough = request.query_params.get("contents") == "1"
        facts = DoctorFacts(
            findings=data.examine(thorough),
            thorough=thorough,
            now=data.now(),
            signed_in=signed_in(request),
        )
        return site.page("doctor.html", doctor_page(facts))

    def settings(request: Request) -> Response:
        facts = SettingsFacts(lines=data.settings, now=data.now(), signed_in=signed_in(request))
        return site.page("settings.html", settings_page(facts))

    return [
        Route("/system", processes),
        Route("/system/logs/{name}", log_file),
        Route("/system/doctor", doctor),
        Route("/system/settings", settings),
    ]
