"""Statements that write or take long, and what a home holds before and after they were asked."""

from __future__ import annotations

import hashlib
from pathlib import Path

LONG_SCALAR = "select levenshtein(repeat('a', 400000), repeat('b', 400000))"
LONG_JOIN = "select sum(a.range * b.range) from range(100000000) a, range(100000) b"
LONG_PLAN = "select " + "+".join(["1"] * 900)
FORGED = "(select 1 as total_pnl)"
#: What writes, or changes the session; {books}, {home} and {new} are put in.
WRITING = [
    f"copy {FORGED} to '{{books}}'",
    f"copy {FORGED} to '{{books}}' (use_tmp_file false)",
    f"copy {FORGED} to '{{books}}' (format parquet, use_tmp_file false)",
    f"copy {FORGED} to '{{books}}.wal'",
    f"copy {FORGED} to '{{books}}.tmp/x.csv'",
    f"copy {FORGED} to '{{home}}/warehouse.duckdb' (use_tmp_file false)",
    f"copy {FORGED} to '{{home}}/adjustments.csv'",
    f"copy {FORGED} to '{{home}}/new' (partition_by (total_pnl), format csv, overwrite)",
    f"copy {FORGED} to '{{new}}'",
    f"copy {FORGED} to 'file://{{new}}'",
    "copy core.run to '{new}' (format json)",
    "copy core.run from '{books}'",
    "copy from database daybook to memory",
    "insert into core.run select * from core.run",
    "insert into memory.main.t values (1)",
    "delete from pnl.position_daily_version",
    "update pnl.account_daily_version set total_pnl = 0",
    "merge into core.run using core.run as same on false when matched then delete",
    "truncate core.run",
    "create table mine as select 1 as x",
    "create table memory.main.mine as select 1 as x",
    "create temp table mine as select 1 as x",
    "create or replace view pnl.account_daily as select 1 as total_pnl",
    "create macro mine() as 1",
    "create schema mine",
    "create sequence mine",
    "create type mine as enum ('a')",
    "create index mine on core.run (run_id)",
    "create secret (type s3)",
    "create persistent secret mine (type s3)",
    "drop view pnl.position_daily",
    "drop schema pnl cascade",
    "alter table core.run add column mine integer",
    "comment on table core.run is 'mine'",
    "checkpoint",
    "force checkpoint daybook",
    "vacuum",
    "vacuum analyze core.run",
    "analyze",
    "attach '{books}' as again",
    "attach '{new}' as other",
    "attach ':memory:' as other",
    "detach daybook",
    "use memory",
    "export database '{home}/exported'",
    "import database '{home}'",
    "install httpfs",
    "load httpfs",
    "load json",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set temp_directory = '{home}'",
    "set variable mine = 1",
    "reset threads",
    "pragma enable_profiling = 'json'",
    "pragma profiling_output = '{new}'",
    "pragma enable_checkpoint_on_shutdown",
    "pragma version",
    "pragma import_database('{home}')",
    "pragma copy_database('daybook', 'memory')",
    "call enable_logging(storage = 'file', storage_path = '{home}/logged')",
    "call pragma_version()",
    "prepare mine as copy (select 1) to '{new}'",
    "execute mine",
    "deallocate mine",
    "begin",
    "commit",
    "rollback",
    "select 1; create table memory.main.mine as select 1",
    "pivot core.run on grade; create table memory.main.mine as select 1",
]


def everything(home: Path) -> dict[str, str]:
    """Every file and folder of a home, with what it holds."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in home.rglob("*")
    }


def seen(home: Path) -> dict[str, tuple[int, ...]]:
    """Every file and folder of a home, with its size and when it was written; what takes no reading."""
    files = {path: path.stat() for path in home.rglob("*")}
    return {
        str(path.relative_to(home)): (each.st_ino, each.st_size, each.st_mtime_ns) if path.is_file() else ()
        for path, each in files.items()
    }


def filled(statement: str, home: Path) -> str:
    for name, path in {"books": home / "daybook.duckdb", "home": home, "new": home / "new"}.items():
        statement = statement.replace(f"{{{name}}}", str(path))
    return statement
