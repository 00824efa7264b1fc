"""What people use: the command line, the demo, the explorer.

In: what somebody types. Out: sentences, tables, exit codes.
Stays out: anything that another package could need. No other package of the product imports this one.
"""

from daybook.neighbours import refuse_strangers

refuse_strangers("dagster_project")

from dagster_project.isolation import leave_working_folder  # noqa: E402

leave_working_folder()  # before anything else is imported
refuse_strangers("assets", "models", "pipelines")
