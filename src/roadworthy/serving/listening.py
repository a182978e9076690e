"""Listening on an address: agents do it for their gateways, which take the sockets over."""

from __future__ import annotations

import socket

from roadworthy.errors import UsageError


def listen(host: str, port: int, shared: bool = False) -> socket.socket:
    """A socket that listens on this address. Raises UsageError where it can't be had.

    Several ``shared`` ones may listen on the same port: the kernel deals callers out to them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as error:
        bound.close()
        raise UsageError(
            f"the gateway can't listen on {host}:{port}: {error.strerror or error}",
            cure="stop what listens there, or set another gateway.port",
            host=host,
            port=port,
        ) from None
    return bound
