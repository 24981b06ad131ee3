"""A Ray cluster of one node in a network and process namespace of its own, reachable at one port outside of it.

By itself Ray listens on all interfaces of the machine, whatever it is told. The end of this process ends all of Ray's.
Arguments: options of unshare, port outside for the dashboard, CPUs, folder for temporary files, token that it asks for.
"""

import asyncio
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys

DASHBOARD = ("127.0.0.1", 8265)
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
PR_SET_PDEATHSIG = 1


def outside(options, port, *rest):
    """A socket belongs to the namespace it was made in: the process inside accepts connections from here."""
    listener = socket.create_server(("127.0.0.1", int(port)))
    unshare = subprocess.Popen(
        ["unshare", *options.split(), "--fork", "--kill-child", sys.executable, __file__]
        + ["--inside", str(listener.fileno()), *rest],
        pass_fds=[listener.fileno()],
        preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    # unshare ignores SIGTERM while its child lives; the child is killed with it, and its namespace with the child.
    signal.signal(signal.SIGTERM, lambda *_: unshare.kill())
    sys.exit(unshare.wait())


def bring_up_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


async def inside(listener, cpus, folder, token):
    bring_up_loopback()
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ray = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"],
        *["--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", f"--dashboard-port={DASHBOARD[1]}"],
        *[f"--num-cpus={cpus}", "--object-store-memory=100000000", f"--temp-dir={folder}"],
        env={**kept, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token},
    )
    server = await asyncio.start_server(bridge, sock=socket.socket(fileno=int(listener)))
    async with server:
        sys.exit(await ray.wait())


async def bridge(reader, writer):
    try:
        far_reader, far_writer = await asyncio.open_connection(*DASHBOARD)
    except OSError:  # not there yet
        writer.transport.abort()
        return
    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


if sys.argv[1] == "--inside":
    asyncio.run(inside(*sys.argv[2:]))
else:
    outside(*sys.argv[1:])
