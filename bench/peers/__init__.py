"""What others would land the same pages with. Each peer runs in an environment of its own, never in the runtime one."""
