"""Where people meet it: the command line, the demo, the explorer.

In: what somebody types. Out: sentences, tables, exit codes.
Stays out: anything that somebody else could need; that belongs to the room that owns it. Nothing imports this package.
"""

from dagster_project.isolation import leave_working_folder

leave_working_folder()  # before anything else is imported
