"""What quantstats and empyrical-reloaded make of series of returns: read as JSON from standard input, written as JSON.

Runs in an environment of its own (requirements/peers-performance.txt) and imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from typing import Any

warnings.simplefilter("ignore")

import empyrical  # noqa: E402
import pandas as pd  # noqa: E402
import quantstats.stats as qs  # noqa: E402

YEAR = 252


def of_quantstats(returns: Any, risk_free: float) -> dict[str, float]:
    """The figures of QuantStats."""
    return {
        "twr": qs.comp(returns),
        "volatility": qs.volatility(returns, periods=YEAR),
        "sharpe": qs.sharpe(returns, rf=risk_free, periods=YEAR),
        "sortino": qs.sortino(returns, rf=risk_free, periods=YEAR),
        "max_drawdown": qs.max_drawdown(returns),
        "best_day": qs.best(returns),
        "worst_day": qs.worst(returns),
        "win_rate": qs.win_rate(returns),
        "profit_factor": qs.profit_factor(returns),
        "average_gain": qs.avg_win(returns),
        "average_loss": qs.avg_loss(returns),
    }


def of_empyrical(returns: Any, risk_free: float) -> dict[str, Any]:
    """The figures of empyrical, and the dates of the deepest fall as pyfolio tells them."""
    daily = (1 + risk_free) ** (1 / YEAR) - 1
    index = empyrical.cum_returns(returns, starting_value=1)
    under_water = index / index.cummax().clip(lower=1) - 1
    valley = under_water.idxmin()
    before, after = under_water[:valley], under_water[valley:]
    peaks, recovered = before[before == 0], after[after == 0]
    dates = {"max_drawdown_to": valley, "max_drawdown_from": peaks.index[-1] if len(peaks) else None}
    dates["recovered_on"] = recovered.index[0] if len(recovered) else None
    return {
        "twr": empyrical.cum_returns_final(returns),
        "annualized_return": empyrical.annual_return(returns, annualization=YEAR),
        "volatility": empyrical.annual_volatility(returns, annualization=YEAR),
        "sharpe": empyrical.sharpe_ratio(returns, risk_free=daily, annualization=YEAR),
        "sortino": empyrical.sortino_ratio(returns, required_return=daily, annualization=YEAR),
        "max_drawdown": empyrical.max_drawdown(returns),
        **{name: str(day.date()) for name, day in dates.items() if day is not None},
    }


def main() -> None:
    """The answer to what standard input asks."""
    asked = json.load(sys.stdin)
    risk_free = float(asked["risk_free"])
    said = {}
    for window, rows in asked["series"].items():
        returns = pd.Series([float(rate) for _, rate in rows], index=pd.DatetimeIndex([day for day, _ in rows]))
        said[window] = {
            "quantstats": {name: float(figure) for name, figure in of_quantstats(returns, risk_free).items()},
            "empyrical": {
                name: figure if isinstance(figure, str) else float(figure)
                for name, figure in of_empyrical(returns, risk_free).items()
            },
        }
    versions = {name: version(name) for name in ("quantstats", "empyrical-reloaded")}
    json.dump({"versions": versions, "figures": said}, sys.stdout)


if __name__ == "__main__":
    main()
