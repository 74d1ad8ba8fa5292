"""An nginx of a test's own in front of web processes, as people put one there: in turns, and past one that is away."""

from collections.abc import Sequence
from pathlib import Path

from tests import live, services

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/unused-1;
    uwsgi_temp_path {folder}/unused-2;
    scgi_temp_path {folder}/unused-3;
    client_max_body_size 0;
    upstream control_plane {{
        {servers}
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://control_plane;
            proxy_http_version 1.1;
            proxy_next_upstream error timeout http_503;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}
}}
"""


class Nginx(live.Process):
    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        port = live.free_port()
        self.url = f"http://127.0.0.1:{port}"
        # One failure takes a server out for a second: a test kills it and starts it again.
        servers = " ".join(f"server 127.0.0.1:{each} max_fails=1 fail_timeout=1s;" for each in ports)
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=port, servers=servers))
        command = [str(services.nginx_program()), "-p", str(folder), "-c", str(configuration)]
        super().__init__(command, folder=folder, environment={}, log=folder / "nginx.log")
        self.wait_for(f"{self.url}/healthz", 30)
