"""Django's PostgreSQL backend with an end to waiting: a server that is stopped, or behind a network that swallows
packets, keeps its connections open and answers nothing, for ever."""

from collections.abc import Generator
from typing import Any

import psycopg
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """`patience`: seconds that one answer may take; None: for ever. A longer wait is an `OperationalError` and costs
    the connection, by which the server notices that nobody waits for the statement any more."""

    patience: float | None = None

    def init_connection_state(self) -> None:
        super().init_connection_state()
        with self.cursor() as cursor:
            cursor.execute("SET client_connection_check_interval = '2s'")

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)

        def wait(generator: Generator[Any, Any, Any], interval: float = 0.1, timeout: float | None = None) -> Any:
            limit = self.patience if timeout is None else timeout
            try:
                return psycopg.Connection.wait(connection, generator, interval, limit)
            except psycopg.errors._WaitTimeout as error:
                if timeout is not None:
                    raise
                connection.pgconn.finish()
                raise psycopg.OperationalError(f"The database did not answer within {limit} s.") from error

        connection.wait = wait
        return connection
