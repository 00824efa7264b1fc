"""What pytest leaves out for now."""

#: Not yet seen to pass on a quiet machine: each leaves this list when it has been.
collect_ignore = [
    "faults",
    "e2e/test_cli_care.py",
    "e2e/test_cli_trading.py",
    "e2e/test_trading_mock_servers.py",
    "integration/test_backup.py",
    "integration/test_doctor.py",
    "integration/test_pnl_cases.py",
    "integration/test_pnl_properties.py",
    "integration/test_replay.py",
    "integration/test_trading_jobs.py",
    "integration/test_trading_outcomes.py",
    "integration/test_trading_wire.py",
]
