"""What people use: the command line, the demo, the explorer.

In: what somebody types. Out: sentences, tables, exit codes.
Stays out: anything that another package could need. No other package of the product imports this one.
"""

from dagster_project.isolation import leave_working_folder

leave_working_folder()  # before anything else is imported
