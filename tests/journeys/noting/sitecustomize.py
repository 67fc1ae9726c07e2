"""
On a portal's PYTHONPATH this notes every database connection that one of its processes opens, with the
process's number, in the file `CONNECTIONS_OPENED`. Only `test_connections.py` uses it.
"""

import os

import psycopg

connect = psycopg.connect


def noting(*arguments, **options):
    connection = connect(*arguments, **options)
    with open(os.environ["CONNECTIONS_OPENED"], "a") as notes:
        notes.write(f"{os.getpid()}\n")
    return connection


psycopg.connect = noting
