"""Runs fakesnow's server on a port of 127.0.0.1, for the tests.

It leaves out CREATE FUNCTION, which fakesnow does not have, and corrects six
faults of fakesnow 0.12.1:

- It notes an absent comment of each temporary table, MERGE's own included, in
  a second database, which DuckDB refuses in a transaction.
- A quote in a comment ends the statement that notes it.
- FLATTEN takes an object's keys for JSON paths, so that "" or "/" is not found.
- It takes $Latest in a text for a variable of the session.
- TO_ARRAY puts an array into an array, TYPEOF takes all JSON for one type, and
  TO_OBJECT is not there.
- A column that is not there has not the error number that Snowflake gives it.

It waits for locks, as Snowflake does, where DuckDB fails at once, and takes a
transaction that nobody has used for two seconds as one whose client died:
Snowflake rolls it back after five minutes if others wait for it.

fakesnow translates a statement in some eighty passes, which take longer than
DuckDB to run it. Here a translation is kept and used again for statements that
differ in the names of staging tables, ids and times alone.
"""

import gc
import importlib
import re
import sys
import time
from string import Template

import duckdb
import uvicorn
from fakesnow import info_schema, macros
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.variables import Variables
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp

server = importlib.import_module("fakesnow.server")
note = info_schema.insert_table_comment_sql


def quoted(catalog, schema, table, comment):
    if not comment:
        return "SELECT 1"
    return note(catalog, schema, table, comment.replace("'", "''"))


info_schema.insert_table_comment_sql = quoted
macros.FS_FLATTEN = Template(
    macros.FS_FLATTEN.template.replace("TO_JSON(input) -> x", "CAST(TO_JSON(input) AS MAP(VARCHAR, JSON))[x]")
)
made = macros.creation_sql
macros.creation_sql = lambda catalog: made(catalog) + f"""
    CREATE OR REPLACE MACRO {catalog}._dp_to_array(x) AS (
        CASE json_type(to_json(x)) WHEN 'ARRAY' THEN to_json(x) WHEN 'NULL' THEN NULL ELSE json_array(x) END);
    CREATE OR REPLACE MACRO {catalog}._dp_typeof(x) AS json_type(to_json(x));
    CREATE OR REPLACE MACRO {catalog}._dp_to_object(x) AS (CASE json_type(to_json(x)) WHEN 'OBJECT' THEN to_json(x) END);
"""
functions = {"TO_ARRAY", "TYPEOF", "TO_OBJECT"}
named = re.compile("|".join(functions), re.IGNORECASE)
varies = re.compile(
    r"dewpoint_staging_[0-9a-f]{24}"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}\+00:00",
    re.IGNORECASE,
)
forms = {"d": "DEWPOINT_STAGING_{:024x}", "u": "00000000-0000-0000-0000-{:012x}", "t": "0001-01-01T00:00:00.{:06d}+00:00"}
execute, translate = FakeSnowflakeCursor.execute, FakeSnowflakeCursor._transform
kept = {}


def shape(text):
    """The text with what varies numbered, and the values by their numbers."""
    values, numbers = {}, {}

    def number(match):
        value = match.group()
        if value not in numbers:
            kind = "t" if "T" in value[:11].upper() and value[4] == "-" else "u" if value[8] == "-" else "d"
            numbers[value] = forms[kind].format(len(numbers)).upper()
            values[numbers[value]] = value
        return numbers[value]

    return varies.sub(number, text), values


def execute_shaped(self, command, *args, **kwargs):
    self.text, self.values = shape(command)
    conn, deadline = self._conn, time.monotonic() + 30
    while True:
        self.part = 0
        conn.used = float("inf")  # it works
        try:
            return execute(self, command, *args, **kwargs)
        except duckdb.TransactionException as e:
            if getattr(conn, "open", False) or "onflict" not in str(e) or time.monotonic() > deadline:
                raise
        except ProgrammingError as e:
            if e.errno == 2043 and "Referenced column" in str(e):
                raise ProgrammingError(msg=str(e), errno=904, sqlstate="42000") from None
            raise
        finally:
            conn.used = time.monotonic()
            word = command.strip().split(None, 1)[0].upper().rstrip(";")
            if word in ("BEGIN", "COMMIT", "ROLLBACK"):
                conn.open = word == "BEGIN"
        for other in list(server.sessions.values()):
            if other is not conn and getattr(other, "open", False) and time.monotonic() - other.used > 2:
                other.open = False
                other._duck_conn.rollback()
        time.sleep(0.1)


def corrected(node):
    name = node.name.upper() if isinstance(node, exp.Anonymous) else node.sql_name() if isinstance(node, exp.Func) else ""
    if name not in functions:
        return node
    of = node.expressions if isinstance(node, exp.Anonymous) else [node.this]
    return exp.Anonymous(this="_dp_" + name.lower(), expressions=of)


def translate_once(self, expression, params):
    self.part += 1
    if named.search(self.text):
        expression = expression.transform(corrected)
    key = (self.text, self.part)
    plain = isinstance(expression, (exp.Create, exp.Query, exp.Insert, exp.Update, exp.Delete))
    if params or not plain or self.text[:12].upper() == "CREATE STAGE":
        return translate(self, expression, params)
    if key not in kept:
        first = translate(self, expression, params)
        kept[key] = (first.copy(), {v.upper(): n for n, v in self.values.items()})
        kept[key][0].args.update({k: v for k, v in first.args.items() if k not in kept[key][0].args})
        return first
    again, numbers = kept[key][0].copy(), kept[key][1]
    by_value = {v: self.values[n] for v, n in numbers.items()}
    again.args.update({k: v for k, v in kept[key][0].args.items() if k not in again.args})
    for node in again.find_all(exp.Literal, exp.Identifier):
        if isinstance(node.this, str) and len(node.this) >= 32:
            upper = isinstance(node, exp.Identifier)
            text = varies.sub(lambda m: by_value.get(m.group().upper(), m.group()), node.this)
            node.set("this", text.upper() if upper else text)
    return again


Variables.inline_variables = lambda self, sql: sql  # dewpoint sets none
FakeSnowflakeCursor.execute = execute_shaped
FakeSnowflakeCursor._transform = translate_once
gc.set_threshold(100_000, 50, 100)
server.shared_fs = FakeSnow(nop_regexes=[r"\s*create\s+(or\s+replace\s+)?function\b"])
uvicorn.run(server.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
