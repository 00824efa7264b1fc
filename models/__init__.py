"""What the broker says, typed. pydantic and nothing else."""
