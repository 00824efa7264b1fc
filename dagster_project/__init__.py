"""Where it meets: Dagster's definitions and the command line. Nothing imports it."""
