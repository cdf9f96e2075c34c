"""Runs fakesnow's server on a port of 127.0.0.1, for the tests.

It leaves out CREATE FUNCTION, which fakesnow does not have, and corrects one
fault: fakesnow 0.12.1 notes an absent comment of each temporary table, MERGE's
own included, in a second database, which DuckDB refuses in a transaction.
"""

import importlib
import sys

import uvicorn
from fakesnow import info_schema
from fakesnow.instance import FakeSnow

server = importlib.import_module("fakesnow.server")

note = info_schema.insert_table_comment_sql
info_schema.insert_table_comment_sql = lambda catalog, schema, table, comment: (
    note(catalog, schema, table, comment) if comment else "SELECT 1"
)
server.shared_fs = FakeSnow(nop_regexes=[r"\s*create\s+(or\s+replace\s+)?function\b"])
uvicorn.run(server.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
