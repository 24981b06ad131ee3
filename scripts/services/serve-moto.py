"""moto's S3, one request at a time: by itself it may let two conditional puts of one key both win.

Arguments: address to listen on, port.
"""

import io
import logging
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

application = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()


def serve(environ, start_response):
    length = environ.get("CONTENT_LENGTH")
    if length:  # read before locking: a slow upload must not hold up the others
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(length)))
    with lock:
        return application(environ, start_response)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
run_simple(sys.argv[1], int(sys.argv[2]), serve, threaded=True)
