"""What can be held: four stocks and the options on them, with ids that never change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE = uuid5(NAMESPACE_URL, "https://daybook.invalid/sandbox")
NAMES = {
    "AAPL": "Apple Computer, Inc.",
    "GOOG": "Google Inc.",
    "IBM": "International Business Machines Corporation",
    "MSFT": "Microsoft Corporation",
}
CALL, PUT = "CALL", "PUT"


@dataclass(frozen=True, slots=True)
class Instrument:
    """A stock, or an option where `underlying` is set. `strike` is USD a share; `expiry` was a Saturday in 2005."""

    symbol: str
    id: str
    name: str
    underlying: Instrument | None = None
    contract_type: str = ""
    strike: Decimal = Decimal(0)
    expiry: date = date.max

    @property
    def multiplier(self) -> Decimal:
        """Shares that one unit of quantity stands for."""
        return Decimal(1) if self.underlying is None else Decimal(100)

    @property
    def base(self) -> Instrument:
        """The stock: the underlying of an option, or the stock itself."""
        return self.underlying or self

    @property
    def security_type(self) -> str:
        """The broker's SecurityType."""
        return "COMMON_STOCK" if self.underlying is None else "OPTION"


def identity(*parts: object) -> str:
    """A UUID that depends on the parts only: the same in every run on every machine."""
    return str(uuid5(NAMESPACE, "/".join(str(part) for part in parts)))


def stock(symbol: str) -> Instrument:
    """One of the stocks that prices.csv knows."""
    return Instrument(symbol, identity("stock", symbol), NAMES[symbol])


def option(symbol: str, expiry: date, contract_type: str, strike: Decimal | str) -> Instrument:
    """A listed option; its symbol is OSI, padded to 21 characters: root(6) yymmdd C|P strike x 1000 (8)."""
    price = Decimal(strike)
    osi = f"{symbol:<6}{expiry:%y%m%d}{contract_type[0]}{int(price * 1000):08d}"
    name = f"{symbol} {expiry:%d %b %Y} {price} {contract_type}"
    return Instrument(osi, identity("option", osi), name, stock(symbol), contract_type, price, expiry)


def unpadded_symbol(symbol: str) -> str:
    """A symbol without the padding of OSI: both spellings occur on the wire."""
    return symbol.replace(" ", "")


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID in its usual spelling; version and variant bits don't matter."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
