"""What exists: a folder a schema, a .sql file a table; catalog.py lists them all, once.

In: the .sql files. Out: the catalogue, and the Dagster assets that make its tables (assets/orchestration).
Stays out: how a table is derived (pipelines/books), and when (dagster_project).
"""
