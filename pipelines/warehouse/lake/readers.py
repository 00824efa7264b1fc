"""A role of PostgreSQL that may read a lake's catalog and change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.errors import ConfigurationError, first_line

if TYPE_CHECKING:
    import psycopg

_ROLE = "select rolsuper or pg_has_role(rolname, current_user, 'member') from pg_roles where rolname = %s"
#: Tables that DuckLake makes later are readable too. Only the one who made the lake may put tables beside its own.
_GRANTS = (
    "revoke create on schema public from public",
    "grant usage on schema public to {role}",
    "grant select on all tables in schema public to {role}",
    "alter default privileges in schema public grant select on tables to {role}",
    "alter role {role} set default_transaction_read_only = on",
)


def grant_reading(con: psycopg.Connection, name: str) -> Iterator[str]:
    """Have a role that may read the lake, made where there is none; sentences that say what was done.

    Raises ConfigurationError where that role may write already, or this one may not make it.
    """
    import psycopg
    from psycopg import sql

    role = sql.Identifier(name)
    try:
        known = con.execute(_ROLE, [name]).fetchone()
        if known is not None and known[0]:
            raise ConfigurationError(f"The role {name} may write to the lake already: give readers one of their own.")
        with con.transaction():
            if known is None:
                con.execute(sql.SQL("create role {role} login").format(role=role))
            database = sql.Identifier(con.info.dbname)
            con.execute(sql.SQL("grant connect on database {} to {}").format(database, role))
            for grant in _GRANTS:
                con.execute(sql.SQL(grant).format(role=role))
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"The role {con.info.user} may not let {name} read ({first_line(error)}): have an administrator run "
            f'`create role "{name}" login`, then this again.'
        ) from error
    except psycopg.Error as error:
        raise ConfigurationError(f"{name} can't be let read ({first_line(error)}).") from error
    if known is None:
        yield f"The role {name} is made: give it a password, such as with psql's \\password {name}."
    yield f"{name} may read the lake."
