"""Dagster's own: definitions, resources, jobs, schedules, sensors and the instance.

In: the assets. Out: runs, on a schedule or when asked for.
Stays out: the assets' definitions (assets/orchestration), and the command line (daybook).
"""
