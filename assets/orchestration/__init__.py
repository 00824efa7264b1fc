"""The tables as Dagster assets: their specs, partitions, checks and freshness.

In: the catalogue and the open books of a run. Out: asset definitions.
Stays out: resources, jobs, schedules, sensors and the instance (dagster_project).
"""
