"""How data moves: settings, calendar, broker, snapshot, warehouse. Knows no orchestrator."""
